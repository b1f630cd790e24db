import type { Database } from '#kernel/database'
import type { Archive } from './archive/directory.ts'
import type { ArchivedRow } from './archive/row.ts'
import { ArchiveDamaged, blocksNaming, readBlock, readIndex } from './archive/segment-file.ts'
import { isAnyMissing, missingSegments, type Segment } from './archive/sql.ts'
import type { BrowsedEvent } from './browse.ts'
import { partitionOf } from './partitioner.ts'
import type { Headers } from './sql.ts'

/**
 * The event with this id, or the events of this key, of what stands in the archive alone; oldest first. Of each segment its
 * index is read, and the blocks that the name may be in.
 * @throws ArchiveDamaged when one of them is not what was written.
 */
export async function archivedEventsNamed(database: Database, archive: Archive, name: string): Promise<BrowsedEvent[]> {
  const found: (BrowsedEvent & { readonly position: bigint })[] = []
  for (const segment of await missingSegments(database)) found.push(...(await namedIn(archive, segment, name)))
  return found.sort((one, other) => Number(one.position - other.position))
}

async function namedIn(archive: Archive, segment: Segment, name: string) {
  const path = archive.pathOf(segment)
  const index = await readIndex(path).catch((error: unknown) => {
    if (error instanceof ArchiveDamaged) throw error
    throw new ArchiveDamaged(`${path} cannot be read`, { cause: error })
  })
  const rows: ArchivedRow[] = []
  for (const block of blocksNaming(index, name)) rows.push(...(await readBlock(path, block)))
  return rows.map((row) => browsed(segment, row)).filter(({ key, id }) => key === name || id === name)
}

function browsed({ topic, partition }: Segment, { event, time, attachment: _, ...place }: ArchivedRow) {
  const headers: Headers = JSON.parse(event)
  return { topic, partition, time: new Date(time), ...place, ...headers }
}

/** How many segments stand in the archive alone. */
export async function archivedSegments(database: Database): Promise<number> {
  return (await missingSegments(database)).length
}

/** Whether events of a key that were appended since may stand in the archive alone. */
export function isArchived(database: Database, key: string, since: Date): Promise<boolean> {
  return isAnyMissing(database, partitionOf(key), since)
}
