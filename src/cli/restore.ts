import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Restored, restoreBackup } from '#backup'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { masterKeyAnswer } from '#kernel/seal'
import { masterKeyIn } from './account-secrets.ts'
import { directoryOf } from './backup.ts'
import { type Call, type Command, wholeNumber } from './command.ts'
import { registersOf } from './kept-copies.ts'
import { progressLine } from './progress.ts'
import { findingsIn } from './verify.ts'

export const restore: Command = {
  name: 'restore',
  summary: 'Make a data directory out of a backup, as of an instant',
  arguments: '[DIR]',
  options: {
    to: { type: 'string', value: 'DATADIR', summary: 'The data directory to make the database in: MILLRACE_DATA_DIR' },
    at: { type: 'string', value: 'TIME', summary: 'As in 2026-11-21T18:40:00Z, or latest: all that is kept' },
    timeline: {
      type: 'string',
      value: 'N',
      summary: 'Which life of a database that was restored before; else the newest',
    },
  },
  details: [
    'DIR is where `millrace backup` wrote to. Nothing may be where the database is to be, and no server may run there.',
    'DATADIR/master.key has to be put back first, from where it was kept apart from the backups.',
    'Who was erased, before or since, is erased again; the books and the log are verified; then it has its name.',
    'Payments accepted after the instant are not in it. See docs/backup.md for what comes back by itself.',
  ],
  async run(call) {
    // An orderly exit takes the PostgreSQL of a broken restore along.
    process.once('SIGINT', () => process.exit(130))
    process.once('SIGTERM', () => process.exit(143))
    const config = await targetOf(call)
    const at = instantOf(call)
    const progress = progressLine(process.stderr)
    let sound: Soundness = { findings: [], checked: 'nothing' }
    try {
      const restored = await restoreBackup({
        directory: await directoryOf(call),
        dataDir: join(config.dataDir, 'postgres'),
        ...(at === undefined ? {} : { at }),
        ...(call.isSet('timeline') ? { timeline: wholeNumber(call, 'timeline', 1, { min: 1, max: 0xffff_ffff }) } : {}),
        masterKeyAnswer: await keyAnswer(config),
        registers: registersOf(config),
        async verify(database) {
          sound = await findingsIn(database)
        },
        progress: (text) => progress.show(text),
      })
      progress.end()
      for (const line of report(restored)) call.print(line)
      return tellSoundness(call, sound)
    } finally {
      progress.end()
    }
  },
}

async function targetOf(call: Call): Promise<Config> {
  const config = await loadConfig(call)
  const to = call.text('to')
  if (to !== undefined) return { ...config, dataDir: resolve(call.cwd, to) }
  if (config.databaseUrl === undefined) return config
  throw new UsageError('DATABASE_URL is set, and a restore makes a data directory: name it with --to.')
}

function instantOf(call: Call): string | undefined {
  const text = call.text('at')
  if (text === undefined || text === 'latest') return undefined
  const isWhole = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text)
  if (isWhole && !Number.isNaN(Date.parse(text))) return text
  throw new UsageError('--at must be an instant with its time zone, as in 2026-11-21T18:40:00Z, or latest.')
}

export async function keyAnswer(config: Config): Promise<string> {
  const path = join(config.dataDir, 'master.key')
  // Made here, it would open nothing.
  if (!existsSync(path))
    throw new UsageError(`There is no master key in ${path}: put it back from where it is kept apart from the backups.`)
  return masterKeyAnswer(await masterKeyIn(config))
}

type Soundness = Pick<Awaited<ReturnType<typeof findingsIn>>, 'findings' | 'checked'>

/** What is in place is in place: a copy of wrong books is wrong, and still the copy that there is. */
export function tellSoundness(call: Call, { findings, checked }: Soundness): number {
  for (const finding of findings) call.print(`wrong: ${finding}`)
  call.print(findings.length > 0 ? `${findings.length} findings in ${checked}.` : `Verified: ${checked}.`)
  return findings.length > 0 ? 1 : 0
}

function report({ backup, dataDir, lastCommit, erasedAgain, doubted }: Restored): string[] {
  const until = lastCommit ?? backup.about.endedAt
  return [
    `Restored ${backup.name} into ${dataDir}, with all that was committed until ${until}.`,
    ...(erasedAgain > 0 ? [`Erased again: ${erasedAgain} subjects that were erased since.`] : []),
    ...(doubted > 0
      ? [`Calls that were open and may have been made since: ${doubted}. They are repeated or asked about.`]
      : []),
    'Take a backup soon: this database has begun a timeline of its own.',
  ]
}
