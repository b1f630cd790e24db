import type { Archive } from './directory.ts'
import type { ArchivedRow } from './row.ts'
import { readBlock } from './segment-file.ts'
import type { Segment } from './sql.ts'

/**
 * All events of a segment in the order of offsets, a block at a time.
 * @throws ArchiveDamaged when the file is not, byte for byte, the one that was written.
 */
export async function* readSegment(
  archive: Archive,
  segment: Pick<Segment, 'file' | 'checksum'>,
): AsyncGenerator<readonly ArchivedRow[]> {
  const { blocks } = await archive.checked(segment)
  for (const block of blocks) yield await readBlock(archive.pathOf(segment), block)
}
