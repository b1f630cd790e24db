import type { Database } from '#kernel/database'
import type { Archive } from './directory.ts'
import { ArchiveDamaged, readBlock } from './segment-file.ts'
import { listSegments, type Segment } from './sql.ts'

export type Verified = {
  readonly segments: number
  readonly events: bigint
  readonly bytes: bigint
  /** What is wrong, a line each. */
  readonly findings: readonly string[]
  /** Files that no segment names: of a life of the database that was ended by a restore, or never recorded. */
  readonly strangers: readonly string[]
}

/**
 * Reads the whole archive: whether every segment is there and is the one that was written, follows the one before without
 * a gap, by its offsets and by the checksum it holds of it, and has all its events.
 */
export async function verifyArchive(database: Database, archive: Archive): Promise<Verified> {
  const segments = await listSegments(database)
  const findings: string[] = []
  let [events, bytes] = [0n, 0n]
  let before: Segment | undefined
  for (const segment of segments) {
    const isFirst = before?.topic !== segment.topic || before.partition !== segment.partition
    const wrong = await wrongWith(archive, segment, isFirst ? undefined : before)
    if (wrong !== undefined) findings.push(`${nameOf(segment)}: ${wrong}`)
    events += segment.end_offset - segment.first_offset
    bytes += segment.bytes
    before = segment
  }
  const known = new Set(segments.map(({ file }) => file))
  const strangers = (await archive.files()).filter((file) => !known.has(file))
  return { segments: segments.length, events, bytes, findings, strangers }
}

async function wrongWith(archive: Archive, segment: Segment, before: Segment | undefined): Promise<string | undefined> {
  const from = before?.end_offset ?? 0n
  if (segment.first_offset !== from) return `offsets from ${from} on are in no segment`
  try {
    const index = await archive.checked(segment)
    if (index.previous !== (before?.checksum ?? null)) return `${segment.file} was not written after the segment before`
    let next = segment.first_offset
    for (const block of index.blocks) {
      for (const { offset } of await readBlock(archive.pathOf(segment), block)) {
        if (offset !== next) return `${segment.file} has offset ${offset} where ${next} should be`
        next++
      }
    }
    return next === segment.end_offset ? undefined : `${segment.file} ends at offset ${next}`
  } catch (error) {
    if (error instanceof ArchiveDamaged) return error.message
    throw error
  }
}

function nameOf({ topic, partition, first_offset: first, end_offset: end }: Segment): string {
  return `${topic}/${partition} ${first}–${end - 1n}`
}
