import { createReadStream } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readCompressed, writeCompressed } from './compressed-file.ts'
import { makeDirectory, syncDirectory } from './durable.ts'
import { namesIn } from './store.ts'
import { type Segment, segmentName, segmentOf } from './wal.ts'

// The WAL of one database system in a directory: a segment that is whole as `000000010000000000000003.zst`, the one that
// is being written as `.partial`, and the history of each timeline but the first as PostgreSQL names it.

const WHOLE = '.zst'
const PARTIAL = '.partial'

export type KeptSegment = Segment & { readonly path: string; readonly isWhole: boolean }

/** In order of timeline and number. */
export async function keptSegments(directory: string, segmentBytes: bigint): Promise<KeptSegment[]> {
  const kept = new Map<string, KeptSegment>()
  // Whole after partial: who was killed between the two left both.
  for (const ending of [PARTIAL, WHOLE]) {
    for (const file of await namesIn(directory)) {
      const name = file.endsWith(ending) ? file.slice(0, -ending.length) : ''
      const segment = segmentOf(name, segmentBytes)
      if (segment) kept.set(name, { ...segment, path: join(directory, file), isWhole: ending === WHOLE })
    }
  }
  return [...kept].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, segment]) => segment)
}

/** The bytes of a kept segment, also of one that becomes whole at this moment. */
export async function* readSegment({ path, isWhole }: KeptSegment): AsyncGenerator<Buffer> {
  if (isWhole) return yield* readCompressed(path)
  try {
    yield* createReadStream(path)
  } catch (error) {
    if (!isMissing(error)) throw error
    yield* readCompressed(path.replace(PARTIAL, WHOLE))
  }
}

/** Who was killed at the end of a segment left it twice. */
export async function clearFinished(directory: string): Promise<void> {
  const names = new Set(await namesIn(directory))
  for (const name of names)
    if (name.endsWith(PARTIAL) && names.has(name.replace(PARTIAL, WHOLE))) await rm(join(directory, name))
}

/** Writes a stream of WAL to segment files, from any position, over what is there: the same bytes have the same place. */
export type WalWriter = {
  write(position: bigint, bytes: Buffer): Promise<void>
  /** Returns when all that was written is on disk: its end. */
  flush(): Promise<bigint>
  close(): Promise<void>
}

export function createWalWriter(
  directory: string,
  about: { readonly timeline: number; readonly segmentBytes: bigint },
  from: bigint,
): WalWriter {
  const { timeline, segmentBytes } = about
  let open: { readonly name: string; readonly file: FileHandle } | undefined
  let end = from
  let isDirty = false

  async function fileAt(position: bigint): Promise<FileHandle> {
    const name = segmentName({ timeline, number: position / segmentBytes }, segmentBytes)
    if (open?.name === name) return open.file
    await open?.file.close()
    await makeDirectory(directory)
    open = { name, file: await openToWrite(join(directory, `${name}${PARTIAL}`)) }
    await syncDirectory(directory)
    return open.file
  }

  return {
    async write(position, bytes) {
      for (let done = 0; done < bytes.length; ) {
        const at = position + BigInt(done)
        const place = Number(at % segmentBytes)
        const part = bytes.subarray(done, done + Math.min(bytes.length - done, Number(segmentBytes) - place))
        await writeAll(await fileAt(at), part, place)
        done += part.length
        end = at + BigInt(part.length)
        isDirty = true
        if (end % segmentBytes === 0n) await finish()
      }
    },
    async flush() {
      if (isDirty) await open?.file.sync()
      isDirty = false
      return end
    },
    async close() {
      await open?.file.close()
      open = undefined
    },
  }

  /** The segment is whole: it is compressed beside its partial file, which goes when its successor is on disk. */
  async function finish(): Promise<void> {
    if (!open) return
    const { name, file } = open
    await file.close()
    open = undefined
    const [partial, aside, whole] = [PARTIAL, '.new', WHOLE].map((ending) => join(directory, `${name}${ending}`))
    await rm(String(aside), { force: true })
    await writeCompressed(String(aside), createReadStream(String(partial)))
    await rename(String(aside), String(whole))
    await syncDirectory(directory)
    await rm(String(partial))
    isDirty = false
  }
}

async function openToWrite(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (isMissing(error)) return open(path, 'wx', 0o600)
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

async function writeAll(file: FileHandle, bytes: Buffer, place: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, place + done)
    done += bytesWritten
  }
}
