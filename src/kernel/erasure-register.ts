import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { destroy, type Subject } from './data-keys.ts'
import type { Database } from './database.ts'
import { plainDigest } from './digest.ts'
import { UsageError } from './errors.ts'
import { syncDirectory } from './sync-directory.ts'
import { allErasures, missingErasures } from './vault-sql.ts'

/** That a subject was erased, and when (Unix milliseconds). Nothing personal: a subject is a digest or an id. */
export type Erasure = Subject & { readonly at: number }

/** Where erasures are written down outside the database, so that no restore of it forgets them. */
export type ErasureRegister = {
  /** Returns once it is on disk everywhere. Safe to repeat. */
  record(erasure: Erasure): Promise<void>
}

/**
 * A register kept in files, one line for each erasure, each file appended to and synced. Several processes may share a
 * file: a line is one write at its end.
 */
export function createErasureRegister(paths: readonly string[]): ErasureRegister {
  return {
    async record(erasure) {
      for (const path of paths) await append(path, lineOf(erasure))
    },
  }
}

/**
 * The erasures of a register; none where there is no file. A line that was cut short is passed over: it was never
 * answered for. @throws UsageError for a line that was changed, because whom it named would come back.
 */
export async function readErasures(path: string): Promise<Erasure[]> {
  const lines = (await readIfThere(path)).split('\n')
  return lines.flatMap((line, place) => {
    if (!line.endsWith('}')) return []
    const erasure = erasureIn(line)
    if (erasure) return [erasure]
    throw new UsageError(`Line ${place + 1} of ${path} is damaged: put the register back from another copy of it.`)
  })
}

export function textOfErasures(erasures: readonly Erasure[]): string {
  return erasures.map(lineOf).join('')
}

/** Every erasure that the database knows of. */
export async function erasuresIn(database: Database): Promise<Erasure[]> {
  const rows = await database.query<{ tenant: string; subject: string; erased_at: Date }>(allErasures)
  return rows.map(({ tenant, subject, erased_at }) => ({ tenant, subject, at: erased_at.getTime() }))
}

/**
 * Erases again whom the database does not know to be erased, and returns how many those were: after a restore, before
 * anything is read. Safe to repeat.
 */
export async function applyErasures(database: Database, erasures: readonly Erasure[]): Promise<number> {
  const tenants = erasures.map(({ tenant }) => tenant)
  const subjects = erasures.map(({ subject }) => subject)
  const times = erasures.map(({ at }) => new Date(at).toISOString())
  const missing = await database.query<Subject & { erased_at: Date }>(missingErasures, [tenants, subjects, times])
  for (const { tenant, subject, erased_at } of missing)
    await destroy(database, { tenant, subject }, erased_at.getTime())
  return missing.length
}

function lineOf({ tenant, subject, at }: Erasure): string {
  const erased_at = new Date(at).toISOString()
  return `${JSON.stringify({ tenant, subject, erased_at, check: checkOf(tenant, subject, erased_at) })}\n`
}

function erasureIn(line: string): Erasure | undefined {
  try {
    const { tenant, subject, erased_at, check }: Record<string, string> = JSON.parse(line)
    if (tenant === undefined || subject === undefined || erased_at === undefined) return undefined
    return check === checkOf(tenant, subject, erased_at) ? { tenant, subject, at: Date.parse(erased_at) } : undefined
  } catch {
    return undefined
  }
}

function checkOf(tenant: string, subject: string, erasedAt: string): string {
  return plainDigest('erasure', tenant, subject, erasedAt).slice(0, 16)
}

async function append(path: string, line: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600)
  try {
    // A line that somebody died over must not swallow this one.
    await file.appendFile((await endsInMidLine(file)) ? `\n${line}` : line)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
}

async function endsInMidLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return false
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer.toString('latin1') !== '\n'
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw new UsageError(`The erasure register ${path} cannot be read: it says who must stay erased.`, { cause: error })
  }
}
