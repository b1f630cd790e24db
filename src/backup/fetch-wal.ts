import { existsSync } from 'node:fs'
import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { type Backup, namesIn } from './store.ts'
import { type Give, writeOwned } from './unpacked-file.ts'
import { forksIn, positionOf, type Segment, segmentName } from './wal.ts'
import { type KeptSegment, keptSegments, readSegment } from './wal-files.ts'

/** The lives of a database system that lead from a copy to where a restore ends. */
export type Lineage = readonly Stretch[]

export type WalSource = {
  /** Where the WAL of the database system is kept. */
  readonly from: string
  /** The copy that it is to be played on. */
  readonly backup: Pick<Backup, 'start' | 'segmentBytes'>
  readonly lineage: Lineage
}

type Target = {
  /** `pg_wal` of the data directory. */
  readonly to: string
  readonly give: Give
  /** Whether all of it is wanted: then a gap with more behind it is refused, because what is behind would be lost. */
  readonly toItsEnd: boolean
}

/**
 * Puts the kept WAL from the start of the copy on into `pg_wal`, as far as it goes without a gap, along the
 * timelines that came out of each other.
 */
export async function fetchWal({ from, backup, lineage }: WalSource, { to, give, toItsEnd }: Target): Promise<void> {
  const segmentBytes = BigInt(backup.segmentBytes)
  // All of them: a timeline that PostgreSQL does not know of would get its number again.
  for (const name of (await namesIn(from)).filter(isHistory))
    await writeOwned(join(to, name), [await readFile(join(from, name))], give)

  const kept = await keptSegments(from, segmentBytes)
  const named = new Map(kept.map((segment) => [segmentName(segment, segmentBytes), segment]))
  const put = async (at: Segment): Promise<boolean> => {
    const name = segmentName(at, segmentBytes)
    const path = join(to, name)
    const segment = named.get(name)
    const isThere = existsSync(path)
    if (!segment && !isThere) return false
    // What came with the copy is whole; one that is being written may have less.
    if (segment && (segment.isWhole || !isThere)) await putSegment(segment, path, backup.segmentBytes, give)
    return true
  }

  let number = positionOf(backup.start) / segmentBytes
  for (const { timeline, end } of lineage) {
    const last = end === undefined ? undefined : end / segmentBytes
    for (; last === undefined || number <= last; number++) {
      if (await put({ timeline, number })) continue
      // The next timeline begins with a copy of the segment that the one before broke off in.
      if (number === last) break
      if (toItsEnd || last !== undefined) refuseGap(kept, { timeline, number }, segmentBytes)
      return
    }
    if (last !== undefined) number = last
  }
}

/** From a copy to the timeline that is wanted, or to the newest that came out of it; none where it does not lead there. */
export async function lineageFrom(
  from: string,
  { timeline: first, end }: Pick<Backup, 'timeline' | 'end'>,
  wanted: number | undefined,
): Promise<Lineage> {
  let lineage: Lineage = wanted === undefined || wanted === first ? [{ timeline: first, end: undefined }] : []
  for (const file of (await namesIn(from)).filter(isHistory).sort()) {
    const timeline = Number.parseInt(file.slice(0, 8), 16)
    if (timeline !== (wanted ?? timeline)) continue
    const forks = forksIn(await readFile(join(from, file), 'utf8'))
    // One that was left before the copy was made, as by a trial of an older one, did not come out of it.
    const begin = forks.findIndex((fork) => fork.timeline === first && fork.end >= positionOf(end))
    if (begin >= 0) lineage = [...forks.slice(begin), { timeline, end: undefined }]
  }
  return lineage
}

/** A timeline, and where it ends. */
type Stretch = { readonly timeline: number; readonly end: bigint | undefined }

function isHistory(name: string): boolean {
  return /^[0-9A-F]{8}\.history$/.test(name)
}

/** Only where there is more behind it: else the WAL just ends. */
function refuseGap(kept: readonly KeptSegment[], gap: Segment, segmentBytes: bigint): void {
  const isBeyond = kept.some(({ timeline, number }) => timeline >= gap.timeline && number > gap.number)
  if (!isBeyond) return
  throw new UsageError(
    `The kept WAL lacks the segment ${segmentName(gap, segmentBytes)} and has later ones, which cannot be used: name an instant before it with --at.`,
  )
}

async function putSegment(segment: KeptSegment, path: string, bytes: number, give: Give): Promise<void> {
  try {
    await writeOwned(path, readSegment(segment), give)
  } catch (error) {
    throw new UsageError(`${segment.path} is damaged: name an instant before that WAL with --at.`, { cause: error })
  }
  await truncate(path, bytes)
}
