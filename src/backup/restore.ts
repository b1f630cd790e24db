import { join } from 'node:path'
import type { Database } from '#kernel/database'
import { applyErasures, type Erasure, readErasures } from '#kernel/erasure-register'
import { UsageError } from '#kernel/errors'
import { recoverCluster } from '#kernel/postgres/recover'
import { StartFailure } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import { readBackup } from './check.ts'
import { fetchWal, type Lineage, lineageFrom, type WalSource } from './fetch-wal.ts'
import { firstRole, makeOurs, newLife } from './sql.ts'
import { erasuresIn, type FoundBackup, listBackups, walIn } from './store.ts'
import { type Give, makeOwned, writeOwned } from './unpacked-file.ts'

export type RestoreOptions = {
  readonly directory: string
  /** The data directory of PostgreSQL that is to be made. */
  readonly dataDir: string
  /** The instant whose state is wanted, in ISO 8601, to the microsecond; absent: the latest that is kept. */
  readonly at?: string
  /** Which of the lives that the database has had; absent: the newest. Each restore begins one. */
  readonly timeline?: number
  /** What the master key at hand answers: only the one that the backup was made under opens anything. */
  readonly masterKeyAnswer: string
  /** Registers of erasures beside those in the backup directory. */
  readonly registers: readonly string[]
  /** Looks the database over before it gets its name; rejects where it must not. */
  readonly verify: (database: Database) => Promise<void>
  readonly progress?: (text: string) => void
}

export type Restored = {
  readonly backup: FoundBackup
  readonly dataDir: string
  /** The last commit that is in it, to the microsecond, by the clock of the database that made it. */
  readonly lastCommit: string | undefined
  readonly erasedAgain: number
  /** Calls to the outside that were open: they may have been made after the instant restored to. */
  readonly doubted: number
}

/** A replay that takes longer than this has gone wrong. */
const RECOVERY_MS_MAX = 24 * 60 * 60 * 1000

/**
 * Makes a data directory as the database was at an instant: the newest copy from before it, and the WAL from there on.
 * Whoever was erased, whenever, is erased again before anybody can ask. What lived on the database that was cannot
 * write to this one.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { directory, dataDir, at, verify, progress = () => {} } = options
  const backups = await listBackups(directory)
  const { backup, lineage } = await choose(backups, options)
  checkKey(backup, options.masterKeyAnswer)
  const erasures = await knownErasures(backups, options)
  const done = { lastCommit: undefined as string | undefined, erasedAgain: 0, doubted: 0 }
  const wal: WalSource = { from: walIn(directory, backup.about.system), backup: backup.about, lineage }
  const settings = recoverySettings(at, lineage.at(-1)?.timeline ?? backup.about.timeline)
  let log = ''
  try {
    const made = await recoverCluster({
      dataDir,
      major: String(Math.trunc(backup.about.postgres / 10_000)),
      readyMsMax: RECOVERY_MS_MAX,
      settings,
      onLog: (text) => {
        log = (log + text).slice(-20_000)
      },
      async fill(target, give) {
        progress('copying')
        await unpack(backup, target, give)
        progress('fetching WAL')
        await fetchWal(wal, { to: join(target, 'pg_wal'), give, toItsEnd: at === undefined })
        await writeOwned(join(target, 'recovery.signal'), [], give)
        progress('replaying')
      },
      async work(server) {
        const { database: name, user } = backup.about
        const role = await on(openRestored(server, name, user), async (database) => {
          done.lastCommit = lastCommitIn(log)
          progress('erasing again')
          done.erasedAgain = await applyErasures(database, erasures)
          done.doubted = await database.transaction({ timeoutMs: 0 }, newLife)
          progress('verifying')
          await verify(database)
          return firstRole(database)
        })
        await on(openRestored(server, 'template1', role), (database) =>
          database.transaction({}, (tx) => makeOurs(tx, { database: name, password: server.password })),
        )
      },
    })
    return { backup, ...made, ...done }
  } catch (error) {
    throw explain(error, log, at)
  }
}

type Choice = { readonly backup: FoundBackup; readonly lineage: Lineage }

/** The newest copy from before the instant that leads to the timeline. */
async function choose(
  backups: readonly FoundBackup[],
  { directory, at, timeline }: Pick<RestoreOptions, 'directory' | 'at' | 'timeline'>,
): Promise<Choice> {
  const [oldest] = backups
  const usable = backups.filter(({ about }) => at === undefined || Date.parse(about.endedAt) <= Date.parse(at))
  for (const backup of usable.toReversed()) {
    const lineage = await lineageFrom(walIn(directory, backup.about.system), backup.about, timeline)
    if (lineage.length > 0) return { backup, lineage }
  }
  if (!oldest)
    throw new UsageError(`There is no backup in ${directory}: name the directory that \`millrace backup\` wrote to.`)
  if (usable.length > 0)
    throw new UsageError(`No backup in ${directory} leads to timeline ${timeline}; see: millrace backup list`)
  throw new UsageError(
    `The oldest backup in ${directory} ends at ${oldest.about.endedAt}: --at must not be before that.`,
  )
}

function checkKey({ name, about }: FoundBackup, answer: string): void {
  if (about.masterKeyAnswer === null || about.masterKeyAnswer === answer) return
  throw new UsageError(
    `The master key is not the one that ${name} was made under: put back the one that was kept apart from the backups.`,
  )
}

/** Of all registers that can be found: who is in any of them is erased. */
async function knownErasures(
  backups: readonly FoundBackup[],
  { directory, registers }: RestoreOptions,
): Promise<Erasure[]> {
  const paths = new Set([erasuresIn(directory), ...registers, ...backups.map((backup) => erasuresIn(backup.directory))])
  return (await Promise.all([...paths].map(readErasures))).flat()
}

function recoverySettings(at: string | undefined, timeline: number): Readonly<Record<string, string>> {
  return {
    restore_command: 'false', // All WAL there is lies in pg_wal by then.
    recovery_target_timeline: String(timeline),
    ...(at === undefined ? {} : { recovery_target_time: at.replace(/Z$/, '+00'), recovery_target_action: 'promote' }),
  }
}

async function unpack(backup: FoundBackup, target: string, give: Give): Promise<void> {
  await readBackup(backup, async ({ name, kind, content }) => {
    const path = join(target, name.replace(/\/$/, ''))
    if (kind === 'directory') await makeOwned(path, give)
    else await writeOwned(path, content, give)
  })
}

async function on<T>(database: Database, work: (database: Database) => Promise<T>): Promise<T> {
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

function openRestored({ port, socket }: { port: number; socket: string }, name: string, user: string): Database {
  const url = new URL(`postgres://localhost:${port}/${encodeURIComponent(name)}`)
  url.username = encodeURIComponent(user)
  url.searchParams.set('host', socket)
  return openDatabase({
    url: url.href,
    connectionsMax: 4,
    applicationName: 'millrace restore',
    session: { transaction_timeout: '0' },
    answerTimeoutMs: 60 * 60_000,
  })
}

function lastCommitIn(log: string): string | undefined {
  const [, text] = /last completed transaction was at log time (\S+ \S+?)(?: UTC|\+00)\b/.exec(log) ?? []
  return text === undefined ? undefined : `${text.replace(' ', 'T')}Z`
}

/** What PostgreSQL says of a target that it cannot reach. */
function explain(error: unknown, log: string, at: string | undefined): unknown {
  if (at !== undefined && /recovery ended before configured recovery target was reached/.test(log)) {
    const last = lastCommitIn(log)
    const until = last === undefined ? '' : `: its last commit is of ${last}`
    return new UsageError(
      `The kept WAL ends before ${at}${until}. Name an instant that it has, or leave --at out for all of it.`,
    )
  }
  if (/WAL (?:ends before end of online backup|file is from different)/.test(log))
    return new StartFailure('The WAL of this backup is not whole: move it away, and the one before it is used.', {
      cause: error,
    })
  return error
}
