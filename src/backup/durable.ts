import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Size and SHA-256 of a file. */
export type FileSum = { readonly bytes: number; readonly sha256: string }

/** Replaces a file whole: killed at any point, there is the old one or the new one. Returns its sum. */
export async function writeDurably(path: string, content: string | Buffer): Promise<FileSum> {
  const bytes = Buffer.from(content)
  const aside = `${path}.new`
  const file = await open(aside, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(aside, path)
  await syncDirectory(dirname(path))
  return { bytes: bytes.length, sha256: sha256(bytes) }
}

/** A name on a disk outlives a power cut once its directory is synced. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

export async function makeDirectory(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 })
  if (made !== undefined) await syncDirectory(dirname(made))
}

/** Fills a directory under another name and gives it its own when it is whole and on disk. */
export async function makeWhole<T>(path: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const partial = `${path}.partial`
  await rm(partial, { recursive: true, force: true })
  await makeDirectory(partial)
  try {
    const result = await fill(partial)
    await syncDirectory(partial)
    await rename(partial, path)
    await syncDirectory(dirname(path))
    return result
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

/** The text of a file; undefined where there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** The files of a directory that are not as their sums say, in words; none when all are. */
export async function badFiles(directory: string, sums: Readonly<Record<string, FileSum>>): Promise<string[]> {
  const found: string[] = []
  for (const [name, sum] of Object.entries(sums)) {
    const actual = await sumOf(join(directory, name)).catch(() => undefined)
    if (!actual) found.push(`${name} is missing`)
    else if (actual.bytes !== sum.bytes) found.push(`${name} has ${actual.bytes} bytes and should have ${sum.bytes}`)
    else if (actual.sha256 !== sum.sha256) found.push(`${name} is damaged: its checksum is another`)
  }
  return found
}

async function sumOf(path: string): Promise<FileSum> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
