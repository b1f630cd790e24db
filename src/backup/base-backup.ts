import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from '#kernel/database'
import { erasuresIn as erasuresOf, textOfErasures } from '#kernel/erasure-register'
import { invariant } from '#kernel/invariant'
import { explainError } from '#kernel/postgres/failure'
import { lockDirectory } from '#kernel/postgres/lock'
import { openReplication, type Replication, type TextRow } from '#kernel/postgres/replication'
import { StartFailure } from '#kernel/postgres/start'
import { createChannel } from './channel.ts'
import { writeCompressed } from './compressed-file.ts'
import { type FileSum, makeDirectory, makeWhole, writeDurably } from './durable.ts'
import { about as aboutServer } from './sql.ts'
import { type Backup, describe, erasuresIn, nameOf, namesIn } from './store.ts'

export type BackupOptions = {
  /** Of the database, with the right to replicate. */
  readonly url: string
  /** An ordinary connection to the same. */
  readonly database: Database
  readonly directory: string
  /** Kilobytes a second that are read at most; absent: as fast as it goes. */
  readonly rateKbMax?: number
  readonly progress?: (bytes: number, ofBytes: number) => void
}

const APPLICATION = 'millrace backup'
/** Keeps the WAL of the copy from being recycled before it is copied too; goes with the session. */
const HOLD = 'CREATE_REPLICATION_SLOT "millrace_base_backup" TEMPORARY PHYSICAL RESERVE_WAL'

/**
 * Copies the whole database while it is used. Whatever was committed before this returns is in the copy. Killed at any
 * point, there is no backup of that name, and the next one clears away what is left.
 * @throws StartFailure of one line where the disk is full, or the server gives no copy to this user.
 */
export async function takeBackup(options: BackupOptions): Promise<{ name: string; about: Backup }> {
  try {
    return await takeOne(options)
  } catch (error) {
    throw explainError(error, options.directory)
  }
}

async function takeOne(options: BackupOptions): Promise<{ name: string; about: Backup }> {
  const { url, database, directory } = options
  await makeDirectory(directory)
  const lock = await lockDirectory(join(directory, 'backup'))
  try {
    const replication = await openReplication(url, APPLICATION)
    try {
      for (const left of await namesIn(directory))
        if (left.endsWith('.partial')) await rm(join(directory, left), { recursive: true, force: true })
      const before = await aboutServer(database)
      const name = nameOf(before.now)
      const about = await makeWhole(join(directory, name), (partial) => copy(replication, options, before, partial))
      return { name, about }
    } finally {
      replication.close()
    }
  } finally {
    lock.release()
  }
}

async function copy(
  replication: Replication,
  { database, rateKbMax, progress = () => {} }: BackupOptions,
  before: Awaited<ReturnType<typeof aboutServer>>,
  partial: string,
): Promise<Backup> {
  const system = onlyRow((await replication.query('IDENTIFY_SYSTEM'))[0])
  await replication.query(HOLD)
  const { results, base, manifest } = await receive(replication, commandFor(rateKbMax), partial, progress)
  const after = await aboutServer(database)
  const erasures = textOfErasures(await erasuresOf(database))
  const [start, end] = [onlyRow(results[0]), onlyRow(results.at(-1))]
  return describe(partial, {
    startedAt: before.now.toISOString(),
    endedAt: after.now.toISOString(),
    system: textIn(system, 'systemid'),
    timeline: Number(textIn(start, 'tli')),
    start: textIn(start, 'recptr'),
    end: textIn(end, 'recptr'),
    segmentBytes: before.segmentBytes,
    postgres: before.version,
    database: before.database,
    user: before.user,
    masterKeyAnswer: after.masterKeyAnswer,
    files: {
      'base.tar.zst': base,
      backup_manifest: await writeDurably(join(partial, 'backup_manifest'), manifest),
      'erasures.jsonl': await writeDurably(erasuresIn(partial), erasures),
    },
  })
}

function commandFor(rateKbMax: number | undefined): string {
  const options = [
    "LABEL 'millrace'",
    'PROGRESS true',
    "CHECKPOINT 'fast'",
    'WAL true',
    'WAIT true',
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
    ...(rateKbMax === undefined ? [] : [`MAX_RATE ${rateKbMax}`]),
  ]
  return `BASE_BACKUP (${options.join(', ')})`
}

type Received = { results: readonly (readonly TextRow[])[]; base: FileSum; manifest: Buffer }

/** The messages of a base backup, by their first byte: a new archive, its data, the manifest, how far it is. */
async function receive(
  replication: Replication,
  command: string,
  partial: string,
  progress: (bytes: number, ofBytes: number) => void,
): Promise<Received> {
  const archive = createChannel<Buffer>()
  const written = writeCompressed(join(partial, 'base.tar.zst'), archive.read())
  written.catch((error) => archive.fail(error))
  const manifest: Buffer[] = []
  let isManifest = false
  const handle = async (message: Buffer, ofBytes: number): Promise<void> => {
    const kind = String.fromCharCode(message[0] ?? 0)
    if (kind === 'n') refuseTablespace(message)
    else if (kind === 'm') isManifest = true
    else if (kind === 'p') progress(Number(message.readBigInt64BE(1)), ofBytes)
    else if (kind === 'd' && isManifest) manifest.push(message.subarray(1))
    else if (kind === 'd') await archive.write(message.subarray(1))
    else invariant(false, 'a base backup has messages of four kinds')
  }
  try {
    const results = await replication.copy(command, async (messages, known) => {
      const ofBytes = Number(known[1]?.[0]?.size ?? 0) * 1024
      for (const message of messages) await handle(message, ofBytes)
    })
    archive.end()
    return { results, base: await written, manifest: Buffer.concat(manifest) }
  } catch (error) {
    archive.fail(error)
    await written.catch(() => {})
    throw error
  }
}

/** The main data directory has an empty path. */
function refuseTablespace(message: Buffer): void {
  const [, path] = message.toString('utf8', 1).split('\0')
  if (path === '') return
  throw new StartFailure(
    'This database has tablespaces outside its data directory: back it up with the tools of PostgreSQL.',
  )
}

function onlyRow(rows: readonly TextRow[] | undefined): TextRow {
  const [row] = rows ?? []
  invariant(row, 'the answer has a row')
  return row
}

function textIn(row: TextRow, column: string): string {
  const text = row[column]
  invariant(typeof text === 'string', `the answer has ${column}`)
  return text
}
