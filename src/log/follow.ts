import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import { type BrowsedEvent, eventsFrom, type FollowedRow, headsOf, keptFrom } from './browse.ts'
import { type Offsets, placeOf } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'
import type { Headers } from './sql.ts'
import type { Wakeups } from './wakeup.ts'

/** Without a wake-up, look again after this long: another process appended, and its notification was lost. */
const POLL_MS = 500
/** A question answers for all that was committed in this time. */
const GATHER_MS = 5
/** After a fault, as with the database away. */
const FAULT_MS = 1_000
/** Events of a partition in one answer: bounds what is held in memory, whatever the size of a backlog. */
const PER_PARTITION = 128

/** An event on its way to whoever follows, with the offsets a reader is at after it. */
export type Followed = {
  readonly key: string
  readonly type: string
  /** Which of the offsets is its own. */
  readonly place: number
  readonly offset: number
  readonly offsets: Offsets
  /** Parsed when somebody asks: most who follow want few events. */
  read(): BrowsedEvent
}

export type Page = { readonly events: readonly Followed[]; readonly offsets: Offsets; readonly isLast: boolean }

export type Follower = {
  readonly topics: readonly string[]
  /**
   * Hears everything from when `ready` resolves on, in causal order, until `stop`; after a fault perhaps a page twice. One
   * reader serves all who listen.
   */
  follow(hear: (batch: readonly Followed[]) => void): { readonly ready: Promise<void>; stop(): void }
  /** Where it is now; undefined while it is at rest, or has not begun. */
  offsets(): Offsets | undefined
  /** Where the log ends now. */
  heads(): Promise<Offsets>
  /** Where what is kept on the log begins now: what is older stands in the archive alone. */
  beginning(): Promise<Offsets>
  /**
   * One page from these offsets on, for those who have to catch up first.
   * @throws Refusal `events_archived` when what comes next of a partition is kept no longer.
   */
  page(from: Offsets): Promise<Page>
  close(): Promise<void>
}

/**
 * Reads topics along for this process: one reader however many listen, and none while nobody does. It has no group and
 * no lease: it decides nothing, and a follower of each process sees all events.
 */
export function createFollower(about: {
  readonly database: Database
  readonly wakeups: Wakeups
  readonly clock: Clock
  readonly topics: readonly string[]
}): Follower {
  const { database, wakeups, clock, topics } = about
  const places = {
    topics: topics.flatMap((topic) => Array.from({ length: PARTITIONS }, () => topic)),
    partitions: topics.flatMap(() => Array.from({ length: PARTITIONS }, (_, partition) => partition)),
  }
  const closing = new AbortController()
  const listeners = new Set<(batch: readonly Followed[]) => void>()
  let current: Offsets | undefined
  let running: Promise<void> | undefined
  let begun = Promise.withResolvers<void>()

  const offsetsOf = async (ask: typeof headsOf): Promise<Offsets> => {
    const offsets = places.topics.map(() => 0)
    for (const { topic, partition, next_offset } of await ask(database, topics)) {
      offsets[placeOf(topics, topic, partition)] = Number(next_offset)
    }
    return offsets
  }
  const heads = (): Promise<Offsets> => offsetsOf(headsOf)
  const page = async (from: Offsets): Promise<Page> => {
    const { rows, isCut } = await eventsFrom(database, { ...places, offsets: from }, PER_PARTITION)
    if (isCut) throw eventsArchived()
    return pageOf(rows, from, topics)
  }

  const turn = async (): Promise<number> => {
    try {
      if (current === undefined) {
        current = await heads()
        begun.resolve()
      }
      const { events, offsets, isLast } = await page(current)
      if (events.length > 0) for (const hear of listeners) hear(events)
      // Last: where a listener failed, all hear the page again rather than some of them never.
      current = offsets
      return isLast ? POLL_MS : 0
    } catch {
      return FAULT_MS
    }
  }

  const run = async (): Promise<void> => {
    while (listeners.size > 0 && !closing.signal.aborted) {
      const ticket = wakeups.ticket(topics)
      const pauseMs = await turn()
      if (pauseMs > 0) {
        const isWoken = pauseMs === POLL_MS ? [ticket.signal] : []
        await clock.sleep(pauseMs, AbortSignal.any([closing.signal, ...isWoken]))
        await clock.sleep(GATHER_MS, closing.signal)
      }
      ticket.release()
    }
    // Whoever listens next begins at the end of the log, not where this one left off.
    current = undefined
    begun = Promise.withResolvers()
    running = undefined
  }

  return {
    topics,
    heads,
    beginning: () => offsetsOf(keptFrom),
    page,
    offsets: () => current,
    follow(hear) {
      listeners.add(hear)
      if (!closing.signal.aborted) running ??= run()
      return { ready: begun.promise, stop: () => void listeners.delete(hear) }
    },
    async close() {
      closing.abort()
      await running
    },
  }
}

/**
 * Where a partition had more than its share, only what comes before the end of that share is passed on: an event must
 * not overtake its cause, and the rest of that partition may hold it.
 */
function pageOf(rows: readonly FollowedRow[], from: Offsets, topics: readonly string[]): Page {
  const counts = new Map<number, number>()
  let end: bigint | undefined
  for (const { topic, partition, offset, position } of rows) {
    const place = placeOf(topics, topic, partition)
    const count = (counts.get(place) ?? 0) + 1
    counts.set(place, count)
    if (Number(offset) !== (from[place] ?? 0) + count - 1) throw eventsArchived()
    if (count === PER_PARTITION && (end === undefined || position < end)) end = position
  }
  let offsets = from
  const events = rows.flatMap((row) => {
    if (end !== undefined && row.position > end) return []
    const place = placeOf(topics, row.topic, row.partition)
    const offset = Number(row.offset)
    offsets = offsets.with(place, offset + 1)
    return [{ key: row.key, type: row.type, place, offset, offsets, read: () => browsed(row) }]
  })
  return { events, offsets, isLast: end === undefined }
}

/** What a reader is told whose place is older than what the log keeps. */
export function eventsArchived(): Refusal {
  const detail =
    'without a cursor the list begins with the oldest event that is kept, and a stream with what happens now'
  return new Refusal('events_archived', { detail })
}

function browsed({ event, ...place }: FollowedRow): BrowsedEvent {
  const headers: Headers = JSON.parse(event)
  return { ...place, ...headers }
}
