import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import type { Archive } from './archive/directory.ts'
import { ArchiveDamaged, blockOf, readBlock, type SegmentIndex } from './archive/segment-file.ts'
import { type Place, type Segment, segmentCovering } from './archive/sql.ts'
import { eventsFrom, type FollowedRow } from './browse.ts'
import { type Offsets, placeOf } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'

/** Events of a partition that are held in memory: 64 partitions of 1,000 bytes each take 16 MB. */
const PER_PARTITION = 256

/** Which part of the log: of these topics what stands from one vector of offsets up to another. */
export type Stretch = { readonly topics: readonly string[]; readonly from: Offsets; readonly until: Offsets }

export type History = {
  /**
   * Batches in causal order, each event once. Memory is bounded, whatever the length. Reads rows where there are, and the
   * archive where they are not; what is dropped meanwhile is found there.
   * @throws UsageError when a part stands in the archive alone, and none was given.
   */
  read(stretch: Stretch): AsyncIterable<readonly FollowedRow[]>
}

/** Reads what happened, from the table and the archive as if they were one. */
export function createHistory(about: { readonly database: Database; readonly archive?: Archive }): History {
  return { read: (stretch) => read(about, stretch) }
}

type About = Parameters<typeof createHistory>[0]
type Reader = Place & {
  next: number
  readonly until: number
  rows: readonly FollowedRow[]
  /** The archived segment it is in. */
  segment?: Segment & { readonly index: SegmentIndex }
}

async function* read(about: About, { topics, from, until }: Stretch): AsyncGenerator<readonly FollowedRow[]> {
  const readers = topics.flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition): Reader => {
      const place = placeOf(topics, topic, partition)
      return { topic, partition, next: from[place] ?? 0, until: until[place] ?? 0, rows: [] }
    }),
  )
  while (true) {
    await fill(about, readers)
    const end = safePosition(readers)
    const batch = readers.flatMap((reader) => withdraw(reader, end))
    if (batch.length === 0) return
    yield batch.sort(causally)
  }
}

/** What is still to be read of any partition was appended after, or together with, this position. */
function safePosition(readers: readonly Reader[]): bigint | undefined {
  let least: bigint | undefined
  for (const { next, until, rows } of readers) {
    const end = next < until ? rows.at(-1)?.position : undefined
    if (end !== undefined && (least === undefined || end < least)) least = end
  }
  return least
}

function withdraw(reader: Reader, end: bigint | undefined): readonly FollowedRow[] {
  const past = end === undefined ? -1 : reader.rows.findIndex(({ position }) => position > end)
  const ready = past === -1 ? reader.rows : reader.rows.slice(0, past)
  reader.rows = past === -1 ? [] : reader.rows.slice(past)
  return ready
}

function causally(one: FollowedRow, other: FollowedRow): number {
  if (one.position !== other.position) return one.position < other.position ? -1 : 1
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1
  return one.partition - other.partition || Number(one.offset - other.offset)
}

/** Has rows ready of every partition that is not at its end. */
async function fill(about: About, readers: readonly Reader[]): Promise<void> {
  const empty = readers.filter(({ rows, next, until }) => rows.length === 0 && next < until)
  const standing = empty.filter((reader) => !isWithin(reader))
  const places = {
    topics: standing.map(({ topic }) => topic),
    partitions: standing.map(({ partition }) => partition),
    offsets: standing.map(({ next }) => next),
  }
  const { rows } = standing.length === 0 ? { rows: [] } : await eventsFrom(about.database, places, PER_PARTITION)
  const found = Map.groupBy(rows, ({ topic, partition }) => `${topic}/${partition}`)
  for (const reader of standing) take(reader, found.get(`${reader.topic}/${reader.partition}`) ?? [])
  for (const reader of empty) if (reader.rows.length === 0) await takeArchived(about, reader)
}

/** Whether its next event is in the segment it has open. */
function isWithin({ segment, next }: Reader): boolean {
  return segment !== undefined && next < Number(segment.end_offset)
}

/** Of the rows given, those from its next offset on without a gap. */
function take(reader: Reader, rows: readonly FollowedRow[]): void {
  const gap = rows.findIndex(({ offset }, place) => Number(offset) !== reader.next + place)
  const whole = (gap === -1 ? rows : rows.slice(0, gap)).filter(({ offset }) => Number(offset) < reader.until)
  reader.rows = whole
  reader.next += whole.length
}

async function takeArchived({ database, archive }: About, reader: Reader): Promise<void> {
  if (!isWithin(reader)) {
    const segment = await segmentCovering(database, reader, BigInt(reader.next))
    const place = `${reader.topic}/${reader.partition} at offset ${reader.next}`
    if (!segment) throw new ArchiveDamaged(`${place} is neither on the log nor in the archive`)
    if (!archive) {
      throw new UsageError(`${place} is in the archive alone: set MILLRACE_ARCHIVE_DIR to where its segments are.`)
    }
    reader.segment = { ...segment, index: await archive.checked(segment) }
  }
  const { segment } = reader
  const block = segment && blockOf(segment.index, reader.next)
  if (!archive || !block) throw new ArchiveDamaged(`${segment?.file} does not have offset ${reader.next}`)
  const { topic, partition } = reader
  const rows = (await readBlock(archive.pathOf(segment), block)).map(({ attachment: _, time, ...row }) => ({
    topic,
    partition,
    time: new Date(time),
    ...row,
  }))
  const before = reader.next
  take(
    reader,
    rows.filter(({ offset }) => Number(offset) >= reader.next),
  )
  if (reader.next === before) throw new ArchiveDamaged(`${segment.file} does not have offset ${before}`)
}
