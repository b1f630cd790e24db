import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UsageError } from './errors.ts'
import type { Random } from './random.ts'
import { syncDirectory } from './sync-directory.ts'

/** The key above all others. It never leaves the process; only keys derived from it are used. */
export type MasterKey = {
  /** A 256-bit key for one purpose, by HKDF-SHA256. The same purpose gives the same key. */
  derive(purpose: string): KeyObject
}

const length = 32

/**
 * Reads the master key file (32 bytes in base64), or makes one that only its owner can read when
 * there is none. Safe when several processes start at once: the first file wins and all use it.
 * Refuses, in one line, a file that others can read or that does not hold a key.
 */
export async function loadMasterKey(path: string, random: Random): Promise<MasterKey> {
  try {
    return fromText(path, (await read(path)) ?? (await create(path, random)))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`The master key ${path} cannot be used: ${reasonOf(error)}.`, { cause: error })
  }
}

export function masterKeyOf(bytes: Buffer): MasterKey {
  const key = createSecretKey(bytes)
  return {
    derive: (purpose) => createSecretKey(Buffer.from(hkdfSync('sha256', key, '', `millrace/${purpose}`, length))),
  }
}

function fromText(path: string, text: string): MasterKey {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== length || bytes.toString('base64') !== text.trimEnd()) {
    throw new UsageError(`The master key ${path} must hold 32 bytes in base64 on one line; restore it from its backup.`)
  }
  return masterKeyOf(bytes)
}

async function read(path: string): Promise<string | undefined> {
  // Non-blocking, so that a named pipe in the key's place is refused rather than waited on.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(absent)
  if (!file) return undefined
  try {
    await refuseUnsafe(path, file)
    return await file.readFile('latin1')
  } finally {
    await file.close()
  }
}

async function refuseUnsafe(path: string, file: FileHandle): Promise<void> {
  const about = await file.stat()
  if (!about.isFile()) throw new UsageError(`The master key ${path} is not a file; name another or move it away.`)
  if ((about.mode & 0o077) !== 0) {
    throw new UsageError(`The master key ${path} can be read by others; run: chmod 600 ${path}`)
  }
}

/**
 * The file appears whole or not at all: written aside, synced, then linked, which unlike a rename
 * never replaces a key that another process has just made. The directory is synced too, because a
 * key lost to a power cut takes everything sealed under it along.
 */
async function create(path: string, random: Random): Promise<string> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const aside = `${path}.${process.pid}.${random.bytes(6).toString('hex')}`
  await writeDurably(aside, `${random.bytes(length).toString('base64')}\n`)
  try {
    await link(aside, path).catch(taken)
  } finally {
    await unlink(aside)
  }
  await syncDirectory(directory)
  return (await read(path)) ?? ''
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
}

function taken(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function reasonOf(error: unknown): string {
  const reasons = new Map<unknown, string>([
    ['EACCES', 'this user may not read or write there'],
    ['EROFS', 'the file system is read-only'],
    ['ENOSPC', 'the disk is full'],
    ['ENOTDIR', 'a part of its path is not a directory'],
  ])
  return reasons.get(codeOf(error)) ?? String(codeOf(error) ?? error)
}
