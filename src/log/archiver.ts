import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import type { Archive } from './archive/directory.ts'
import type { ArchivedRow } from './archive/row.ts'
import { ArchiveDamaged, readBlock } from './archive/segment-file.ts'
import * as segments from './archive/sql.ts'
import type { LoopReport } from './consumer.ts'
import { describeFailure } from './failure.ts'
import type { LeaseBook } from './lease.ts'
import { fence } from './sql.ts'
import type { Wakeups } from './wakeup.ts'

/** Whose lease is needed to archive: one process at a time does. */
export const ARCHIVE_GROUP = 'log.archive'

/** A segment is closed once so many events wait to be archived, or the first of them has waited for so long. */
export const closedBy: Closing = { events: 16_384, ageMs: 24 * 60 * 60_000 }
/** Bytes of events in a segment: where they are large, it has fewer of them. */
const SEGMENT_BYTES = 16 * 1024 * 1024
/** What is read of the log at once. */
const PAGE = { events: 1_000, bytes: 2 * 1024 * 1024 } as const
/** Offsets whose rows go in one transaction: some milliseconds, so that nobody waits for it. */
const DROP_BATCH = 1_000
/** A group that is behind waits at most so long for its next segment. */
const LOOK_MS = 1_000
/** Looking for what can be closed asks for a row of every partition. */
const CLOSE_MS = 10_000
/** After a fault, as with a disk that is full: nothing is lost by waiting, and each try is reported. */
const FAULT_MS = 10_000
/** How long a file that was found damaged is let be. */
const DAMAGED_MS = 60_000

export type Closing = { readonly events: number; readonly ageMs: number }

export type ArchiveSettings = {
  readonly archive: Archive
  /** Events older than this go from the log, once they are archived. Absent: none. */
  readonly retentionMs?: number
}

export type ArchiverContext = ArchiveSettings & {
  readonly database: Database
  readonly clock: Clock
  readonly leases: LeaseBook
  readonly wakeups: Wakeups
  report(report: LoopReport): void
}

/** What was done to a segment. */
export type Kept = {
  readonly done: 'archived' | 'dropped' | 'restored'
  readonly topic: string
  readonly partition: number
  readonly firstOffset: bigint
  readonly endOffset: bigint
}

/** Archives, drops and brings back, while this process has the lease, until stopped. Never throws: it owns retry. */
export function startArchiver(context: ArchiverContext): { stop(): Promise<void> } {
  const { clock, leases, report } = context
  const stopping = new AbortController()
  const archiver = createArchiver(context)
  let closedAt = Number.NEGATIVE_INFINITY
  const turn = async (): Promise<Kept | undefined> => {
    if (leases.of(ARCHIVE_GROUP).size === 0) return undefined
    const kept = await archiver.serve()
    if (kept || clock.monotonicMs() - closedAt < CLOSE_MS) return kept
    const closed = await archiver.close(closedBy)
    if (!closed) closedAt = clock.monotonicMs()
    return closed
  }
  const pause = async (): Promise<number> => {
    try {
      return (await turn()) ? 0 : LOOK_MS
    } catch (error) {
      report({ kind: 'fault', group: ARCHIVE_GROUP, error: fileFailure(error) ?? describeFailure(error) })
      return FAULT_MS
    }
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const pauseMs = await pause()
      if (pauseMs > 0) await clock.sleep(pauseMs, stopping.signal)
    }
  }
  const done = run()
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** What the disk says, which is nobody's secret: `ENOSPC, write`. */
function fileFailure(error: unknown): string | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined
  return `${error.code}, ${error.syscall}`
}

/** The work of whoever has the lease, a segment at a time. What is done is safe to repeat, and to break off anywhere. */
export function createArchiver(context: ArchiverContext) {
  const { database, clock, retentionMs, report } = context
  const damaged = new Map<string, number>()

  const sound = async (segment: segments.Segment, work: () => Promise<Kept>): Promise<Kept | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof ArchiveDamaged)) throw error
      damaged.set(segment.file, clock.monotonicMs())
      report({ kind: 'fault', group: ARCHIVE_GROUP, error: error.message })
      return undefined
    }
  }
  const letBe = (): string[] => {
    for (const [file, at] of damaged) if (clock.monotonicMs() - at > DAMAGED_MS) damaged.delete(file)
    return [...damaged.keys()]
  }

  return {
    /** Brings back the segment that a group waits for, or else drops one that is old and that none needs. */
    async serve(): Promise<Kept | undefined> {
      while (true) {
        const wanted = await segments.segmentToRestore(database, letBe())
        const old =
          wanted || retentionMs === undefined ? undefined : await segments.segmentToDrop(database, retentionMs, letBe())
        const segment = wanted ?? old
        if (!segment) return undefined
        const kept = await sound(segment, () => (wanted ? restore(context, segment) : drop(context, segment)))
        // One that is damaged is let be, and holds up no other.
        if (kept) return kept
      }
    },
    /** Archives a segment that is closed. */
    async close(closing: Closing): Promise<Kept | undefined> {
      const [closed] = await segments.closedSegments(database, closing)
      return closed && write(context, closed)
    },
  }
}

async function write(context: ArchiverContext, closed: segments.Closed): Promise<Kept | undefined> {
  const segment = await context.archive.write(closed, pagesOf(context.database, closed))
  if (!segment) return undefined
  await fenced(context, (tx) => segments.addSegment(tx, segment))
  const { topic, partition, firstOffset, endOffset } = segment
  return { done: 'archived', topic, partition, firstOffset, endOffset }
}

async function* pagesOf(database: Database, closed: segments.Closed): AsyncGenerator<ArchivedRow[]> {
  const { topic, partition, first_offset: first, head } = closed
  const end = first + BigInt(closedBy.events)
  const until = end < head ? end : head
  let bytes = 0
  for (let from = first; from < until && bytes < SEGMENT_BYTES; ) {
    const rows = await segments.recordsIn(database, { topic, partition, from, until }, PAGE.events, PAGE.bytes)
    const last = rows.at(-1)
    if (!last) return
    yield rows
    from = last.offset + 1n
    for (const { event, attachment } of rows) bytes += event.length + (attachment?.length ?? 0)
  }
}

/** The file is read back before the first row goes. Readers are told, by the state, before that as well. */
async function drop(context: ArchiverContext, segment: segments.Segment): Promise<Kept> {
  await context.archive.checked(segment)
  await fenced(context, (tx) => segments.setState(tx, segment, 'dropping'))
  const { topic, partition, first_offset: firstOffset, end_offset: endOffset } = segment
  for (let from = firstOffset; from < endOffset; from += BigInt(DROP_BATCH)) {
    const end = from + BigInt(DROP_BATCH)
    const until = end < endOffset ? end : endOffset
    await fenced(context, (tx) => segments.dropRows(tx, { topic, partition, from, until }))
  }
  await fenced(context, (tx) => segments.setState(tx, segment, 'dropped'))
  return { done: 'dropped', topic, partition, firstOffset, endOffset }
}

async function restore(context: ArchiverContext, segment: segments.Segment): Promise<Kept> {
  const { archive, wakeups } = context
  const index = await archive.checked(segment)
  await fenced(context, (tx) => segments.setState(tx, segment, 'restoring'))
  for (const block of index.blocks) {
    const rows = await readBlock(archive.pathOf(segment), block)
    await fenced(context, (tx) => segments.restoreRows(tx, segment, rows))
  }
  await fenced(context, (tx) => segments.setState(tx, segment, 'kept'))
  const { topic, partition, first_offset: firstOffset, end_offset: endOffset } = segment
  wakeups.wake([topic])
  return { done: 'restored', topic, partition, firstOffset, endOffset }
}

/** Whoever lost the lease changes nothing any more: the one who has it may be at the same segment. */
async function fenced(context: ArchiverContext, work: (tx: Tx) => Promise<void>): Promise<void> {
  await context.database.transaction({}, async (tx) => {
    const held = await fence(tx, ARCHIVE_GROUP, context.leases.of(ARCHIVE_GROUP))
    if (held.length === 0) throw new Error('another process archives now')
    await work(tx)
  })
}
