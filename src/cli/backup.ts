import { resolve } from 'node:path'
import { checkBackup, checkWal, type FoundBackup, followWal, listBackups, pruneBackups, takeBackup } from '#backup'
import { systemClock } from '#kernel/clock'
import { loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { type Call, type Command, wholeNumber } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'
import { progressLine } from './progress.ts'
import { stopSignal } from './stop-signal.ts'

const KB_PER_MB = 1024
/** What the protocol takes: 32 KB to 1 GB a second. */
const rates = { min: 1, max: 1024 }

export const take: Command = {
  name: 'backup',
  summary: 'Copy the whole database into a directory, while it is used',
  arguments: '[DIR]',
  options: {
    rate: { type: 'string', value: 'MB', summary: 'Megabytes a second that are read at most' },
    keep: {
      type: 'string',
      value: 'N',
      summary: 'Afterwards remove all but the newest N, and the WAL none of them needs',
    },
  },
  details: [
    'DIR is MILLRACE_BACKUP_DIR where it is left out. The copy has all that was committed before the command ends, is',
    'checked by `millrace backup verify` and put back by `millrace restore`. The master key is not in it: keep it apart.',
  ],
  async run(call) {
    const directory = await directoryOf(call)
    const rate = call.text('rate') === undefined ? undefined : wholeNumber(call, 'rate', rates.max, rates) * KB_PER_MB
    const keep = call.text('keep') === undefined ? undefined : wholeNumber(call, 'keep', 1, { min: 1, max: 10_000 })
    const progress = progressLine(process.stderr)
    try {
      const { name, about } = await withDatabase(call, (database, _, url) =>
        takeBackup({
          url,
          database,
          directory,
          ...(rate === undefined ? {} : { rateKbMax: rate }),
          progress: (bytes, of) => progress.show(`${megabytes(bytes)} of about ${megabytes(Math.max(bytes, of))}`),
        }),
      )
      progress.end()
      const size = Object.values(about.files).reduce((sum, { bytes }) => sum + bytes, 0)
      call.print(`${name}: ${megabytes(size)} in ${directory}, as of ${about.endedAt}.`)
      const removed = keep === undefined ? [] : await pruneBackups(directory, keep)
      if (removed.length > 0) call.print(`Removed: ${removed.join(', ')}.`)
      return 0
    } finally {
      progress.end()
    }
  },
}

export const follow: Command = {
  name: 'backup follow',
  summary: 'Keep the WAL of the database beside its backups, until Ctrl-C',
  arguments: '[DIR]',
  details: [
    'What `millrace start` does by itself with MILLRACE_BACKUP_DIR set; here for another machine. With it a restore',
    'gets to any instant since the oldest backup, and to within moments of the last.',
  ],
  async run(call) {
    const directory = await directoryOf(call)
    const stopping = stopSignal(call, 'What is kept stays: the next one goes on where this one was.')
    return withDatabase(call, async (_database, _config, url) => {
      const kept = followWal({
        url,
        directory,
        clock: systemClock,
        report(report) {
          if (report.kind === 'following') call.print(`Keeping the WAL in ${directory}, from ${report.from} on.`)
          else if (report.kind === 'gap')
            call.warn(`The WAL from ${report.from} to ${report.to} is lost: back up anew.`)
          else call.warn(`Not keeping the WAL: ${wordsOf(report.error)} It is tried again.`)
        },
      })
      await stopping.asked
      await kept.stop()
      return 0
    })
  },
}

export const list: Command = {
  name: 'backup list',
  summary: 'Show the backups in a directory',
  arguments: '[DIR]',
  async run(call) {
    const backups = await listBackups(await directoryOf(call))
    const rows = backups.map(({ name, about }) => [
      name,
      about.endedAt,
      megabytes(about.files['base.tar.zst']?.bytes ?? 0),
      String(Math.trunc(about.postgres / 10_000)),
      String(about.timeline),
    ])
    for (const line of table([['NAME', 'AS OF', 'SIZE', 'POSTGRESQL', 'TIMELINE'], ...rows], '')) call.print(line)
    return 0
  },
}

export const verify: Command = {
  name: 'backup verify',
  summary: 'Read all backups in a directory and compare every file with its checksum',
  arguments: '[DIR]',
  async run(call) {
    const directory = await directoryOf(call)
    const backups = await listBackups(directory)
    if (backups.length === 0) throw new UsageError(`There is no backup in ${directory}.`)
    const damages: string[] = []
    for (const backup of backups) await verifyOne(call, backup).catch((error) => damages.push(lineOf(error)))
    const systems = new Map(backups.map(({ about }) => [about.system, about]))
    for (const about of systems.values()) damages.push(...(await verifyWal(call, directory, about)))
    for (const damage of damages) call.print(`wrong: ${damage}`)
    return damages.length > 0 ? 1 : 0
  },
}

async function verifyOne(call: Call, backup: FoundBackup): Promise<void> {
  const bytes = await checkBackup(backup)
  call.print(`${backup.name}: all is well, ${megabytes(bytes)} when restored.`)
}

async function verifyWal(call: Call, directory: string, about: FoundBackup['about']): Promise<readonly string[]> {
  const { segments, findings } = await checkWal(directory, about)
  if (findings.length === 0) call.print(`WAL of ${about.system}: all is well, ${segments} segments.`)
  return findings
}

function lineOf(error: unknown): string {
  if (error instanceof UsageError) return error.message
  throw error
}

/** The argument, or what is configured. */
export async function directoryOf(call: Call): Promise<string> {
  const { backup } = await loadConfig(call)
  const [named] = call.arguments
  if (named !== undefined) return resolve(call.cwd, named)
  if (backup.dir !== undefined) return backup.dir
  throw new UsageError('DIR is missing: name the directory of the backups, or set MILLRACE_BACKUP_DIR.')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown.'
}
