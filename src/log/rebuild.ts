import type { Database } from '#kernel/database'
import type { FollowedRow } from './browse.ts'
import type { EventType } from './event.ts'
import type { History } from './history.ts'
import { type Offsets, placeOf } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'
import { type CheckpointRow, type PlaceRow, parkedPlaces } from './replay/sql.ts'
import type { EventRow, Headers } from './sql.ts'

/** Where a group stands: what it has passed, and what of that it has set aside. */
export type Point = {
  readonly offsets: Offsets
  /** Its parked events, by `nameOf`. */
  readonly parked: ReadonlySet<string>
}

/** How far a rebuild is. */
export type Reached = {
  readonly offsets: Offsets
  /** Passed over, because they were parked then; in the order of the log. */
  readonly skipped: ReadonlyMap<string, PlaceRow>
  /** Events read so far, of any type. */
  readonly events: number
}

/** What to fold next, and how far one is once that is done. */
export type Portion = { readonly rows: readonly EventRow[]; readonly reached: Reached }

type Reader = {
  readonly group: string
  readonly topics: readonly string[]
  readonly types: ReadonlyMap<string, EventType>
}

/** `checkpoints` were read before in the same snapshot, or before at all: then what is parked may be of later. */
export async function pointOf(
  database: Pick<Database, 'query'>,
  { group, topics }: Reader,
  checkpoints: readonly CheckpointRow[],
): Promise<Point> {
  const parked = await parkedPlaces(database, group)
  const offsets = [...nothingYet(topics).offsets]
  for (const { topic, partition, next_offset } of checkpoints) {
    if (topics.includes(topic)) offsets[placeOf(topics, topic, partition)] = Number(next_offset)
  }
  return { offsets, parked: new Set(parked.map(nameOf)) }
}

export function nothingYet(topics: readonly string[]): Reached {
  return { offsets: new Array<number>(topics.length * PARTITIONS).fill(0), skipped: new Map(), events: 0 }
}

/** How many events a rebuild is behind. */
export function distance({ offsets }: Pick<Reached, 'offsets'>, point: Pick<Point, 'offsets'>): number {
  return point.offsets.reduce((sum, offset, place) => sum + Math.max(0, offset - (offsets[place] ?? 0)), 0)
}

/**
 * Hands out what a projection has folded on its way to a point, in an order in which it could have done so: all that it
 * has passed but what stands parked, and that once it was retried. Events of a key keep their order, because those behind
 * a parked one are parked too; and nobody edits or discards what a projection has parked.
 */
export async function* portions(
  reader: Reader,
  history: History,
  start: Reached,
  point: Point,
): AsyncGenerator<Portion> {
  const { topics, types } = reader
  let reached = start
  for (const [name, { topic, partition, offset }] of start.skipped) {
    if (point.parked.has(name)) continue
    const { offsets, events } = reached
    const place = placeOf(topics, topic, partition)
    const stretch = {
      topics,
      from: offsets.with(place, Number(offset)),
      until: offsets.with(place, Number(offset) + 1),
    }
    const skipped = new Map(reached.skipped)
    skipped.delete(name)
    reached = { offsets, skipped, events }
    for await (const rows of history.read(stretch)) yield { rows: rows.flatMap((row) => eventOf(row, types)), reached }
  }

  // A group never goes back: of one that was set back by hand, nothing more is read.
  const until = point.offsets.map((offset, place) => Math.max(offset, reached.offsets[place] ?? 0))
  for await (const rows of history.read({ topics, from: reached.offsets, until })) {
    const skipped = rows.filter((row) => point.parked.has(nameOf(row)))
    const isSkipped = new Set(skipped)
    reached = after(reached, topics, rows, skipped)
    yield { rows: rows.flatMap((row) => (isSkipped.has(row) ? [] : eventOf(row, types))), reached }
  }
}

function after(
  { offsets, skipped, events }: Reached,
  topics: readonly string[],
  rows: readonly FollowedRow[],
  aside: readonly FollowedRow[],
): Reached {
  const next = [...offsets]
  for (const { topic, partition, offset } of rows) next[placeOf(topics, topic, partition)] = Number(offset) + 1
  const more = aside.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
  return {
    offsets: next,
    skipped:
      more.length === 0 ? skipped : new Map([...skipped, ...more.map((place) => [nameOf(place), place] as const)]),
    events: events + rows.length,
  }
}

function eventOf({ event, ...place }: FollowedRow, types: Reader['types']): EventRow[] {
  if (!types.has(place.type)) return []
  const headers: Headers = JSON.parse(event)
  return [{ ...place, ...headers, is_parked: false }]
}

function nameOf({ topic, partition, offset }: PlaceRow): string {
  return `${topic}/${partition}@${offset}`
}
