import { access, constants, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { invariant } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { syncDirectory } from '#kernel/sync-directory'
import type { ArchivedRow } from './row.ts'
import { ArchiveDamaged, checksumOf, readIndex, type SegmentIndex, writeSegment } from './segment-file.ts'
import type { Closed, NewSegment, Segment } from './sql.ts'

const PARTIAL = '.partial'

/** Where segments are kept as files: `payments/3/0000000000000000-1f0a….jsonl.zst`. */
export type Archive = {
  readonly directory: string
  pathOf(segment: Pick<Segment, 'file'>): string
  /** Makes the directory if there is none. @throws UsageError when it cannot be written. */
  open(): Promise<void>
  /** A new segment, on the disk under its name when this resolves; undefined when there are no rows. */
  write(closed: Closed, pages: AsyncIterable<readonly ArchivedRow[]>): Promise<NewSegment | undefined>
  /** The index of a segment. @throws ArchiveDamaged unless the file is, byte for byte, the one that was written. */
  checked(segment: Pick<Segment, 'file' | 'checksum'>): Promise<SegmentIndex>
  /** Paths of all segments there are, known to the log or not. */
  files(): Promise<string[]>
}

export function createArchive(directory: string, random: Random): Archive {
  const pathOf = ({ file }: Pick<Segment, 'file'>): string => join(directory, file)
  return {
    directory,
    pathOf,
    async open() {
      try {
        await mkdir(directory, { recursive: true, mode: 0o700 })
        await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : 'unknown'
        throw new UsageError(`The archive ${directory} cannot be written (${code}): set archive.dir to where it can.`)
      }
    },
    async write({ topic, partition, first_offset: firstOffset, previous }, pages) {
      const folder = folderOf(topic, partition)
      await makeFolder(directory, folder)
      await clearPartials(join(directory, folder))
      const partial = join(directory, folder, `${random.bytes(6).toString('hex')}${PARTIAL}`)
      const written = await writeSegment(partial, { topic, partition, previous }, pages)
      if (written === undefined) {
        await rm(partial)
        return undefined
      }
      // Told apart by content: after a restore of the database to an earlier time the same offsets are given out anew.
      const name = `${String(firstOffset).padStart(16, '0')}-${written.checksum.slice(0, 16)}.jsonl.zst`
      await rename(partial, join(directory, folder, name))
      await syncDirectory(join(directory, folder))
      return { topic, partition, firstOffset, file: join(folder, name), ...written }
    },
    async checked(segment) {
      const path = pathOf(segment)
      const checksum = await checksumOf(path).catch((error: unknown) => {
        throw new ArchiveDamaged(`${path} cannot be read`, { cause: error })
      })
      if (checksum !== segment.checksum) throw new ArchiveDamaged(`${path} is not what was written there`)
      return readIndex(path)
    },
    async files() {
      const paths = await readdir(directory, { recursive: true }).catch(() => [])
      return paths.filter((path) => path.endsWith('.jsonl.zst')).sort()
    },
  }
}

function folderOf(topic: string, partition: number): string {
  invariant(/^[a-z0-9_]+(?:[.-][a-z0-9_]+)*$/.test(topic), 'a topic is a file name')
  return join(topic, String(partition))
}

/** Each new folder is in its parent for good before anything is in it. */
async function makeFolder(directory: string, folder: string): Promise<void> {
  const first = await mkdir(join(directory, folder), { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let path = join(directory, folder); path.length >= first.length; path = dirname(path)) {
    await syncDirectory(dirname(path))
  }
}

/** What somebody began who died: one process archives at a time. */
async function clearPartials(path: string): Promise<void> {
  for (const name of await readdir(path)) if (name.endsWith(PARTIAL)) await rm(join(path, name), { force: true })
}
