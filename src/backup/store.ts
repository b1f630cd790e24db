import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { badFiles, type FileSum, readIfThere, sha256, writeDurably } from './durable.ts'

// A backup directory:
//
//   20261121T184000123Z/         one copy of the whole database
//     backup.json                what it is, with the sums of the files below and its own
//     base.tar.zst               the data directory, with the WAL that makes it consistent
//     backup_manifest            PostgreSQL's own list of it, with a checksum for every file
//     erasures.jsonl             whom the database knew to be erased
//   erasures.jsonl               whom anybody has erased since, written before they were told so
//   wal/7654321098765432109/     the WAL of that database system, without end: see follow-wal.ts

const FORMAT = 1
const DESCRIPTION = 'backup.json'

/** One copy of a database. */
export type Backup = {
  readonly format: number
  /** ISO instants, by the clock of the database. Every transaction committed before `endedAt` is in it. */
  readonly startedAt: string
  readonly endedAt: string
  /** PostgreSQL's own name of the database system: a restore has the same, a new one another. */
  readonly system: string
  readonly timeline: number
  /** Positions of the WAL between which it is not consistent. */
  readonly start: string
  readonly end: string
  readonly segmentBytes: number
  /** As in 180004. */
  readonly postgres: number
  readonly database: string
  readonly user: string
  /** What the master key of this database answers to a fixed question: says which key it is, and nothing about it. */
  readonly masterKeyAnswer: string | null
  readonly files: Readonly<Record<string, FileSum>>
}

export type FoundBackup = { readonly name: string; readonly directory: string; readonly about: Backup }

export const erasuresIn = (directory: string): string => join(directory, 'erasures.jsonl')
export const walIn = (directory: string, system: string): string => join(directory, 'wal', system)

/** As in `20261121T184000123Z`: sorts as the times do. */
export function nameOf(at: Date): string {
  return at.toISOString().replace(/[-:.]/g, '')
}

export async function describe(directory: string, about: Omit<Backup, 'format'>): Promise<Backup> {
  const backup: Backup = { format: FORMAT, ...about }
  const check = sha256(JSON.stringify(backup))
  await writeDurably(join(directory, DESCRIPTION), `${JSON.stringify({ ...backup, check }, null, 2)}\n`)
  return backup
}

/** The backups below a directory, the oldest first. What was broken off has another name, and is no backup. */
export async function listBackups(directory: string): Promise<FoundBackup[]> {
  const names = (await namesIn(directory)).filter((name) => /^\d{8}T\d{9}Z$/.test(name))
  return Promise.all(
    names.sort().map(async (name) => {
      const own = join(directory, name)
      return { name, directory: own, about: await readDescription(own) }
    }),
  )
}

/** The names in a directory; none where there is no such directory. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** What of the files of a backup is not as it was written; nothing when all is. */
export function damagesOf({ directory, about }: FoundBackup): Promise<string[]> {
  return badFiles(directory, about.files)
}

async function readDescription(directory: string): Promise<Backup> {
  const path = join(directory, DESCRIPTION)
  const { check, ...backup } = parse(await readIfThere(path), path)
  if (check !== sha256(JSON.stringify(backup))) throw damaged(path)
  if (backup.format === FORMAT) return backup
  throw new UsageError(`${path} was made by a newer version of Millrace: use that version, or a later one.`)
}

function parse(text: string | undefined, path: string): Backup & { check: string } {
  try {
    return JSON.parse(text ?? '')
  } catch {
    throw damaged(path)
  }
}

function damaged(path: string): UsageError {
  return new UsageError(`${path} is damaged: move that backup away, and the one before it is used.`)
}
