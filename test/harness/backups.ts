import { join } from 'node:path'
import { followWal, type Restored, restoreBackup, takeBackup, type WalReport } from '#backup'
import { systemClock } from '#kernel/clock'
import { createErasureRegister } from '#kernel/erasure-register'
import { startPostgres } from '#kernel/postgres/start'
import { masterKeyAnswer } from '#kernel/seal'
import { findingsIn } from '../../src/cli/verify.ts'
import { type AppSettings, type AppUnderTest, masterKey, openApp } from './app.ts'
import { temporaryDirectory } from './directory.ts'
import { startOwnServer } from './own-server.ts'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void>): void }

export type BackedUp = {
  readonly app: AppUnderTest
  /** Where its backups, its WAL and its register of erasures are. */
  readonly directory: string
  takeBackup(): ReturnType<typeof takeBackup>
  /** Keeps the WAL from now on, until the test ends. */
  follow(): Promise<Following>
  /** An instant between what is committed and what will be. */
  now(): Promise<Date>
  /** A new data directory as of an instant, or as late as it gets; verified. */
  restore(options?: {
    at?: Date
    timeline?: number
    directory?: string
    answer?: string
    name?: string
  }): Promise<Restored>
  /** The platform on what was restored. */
  open(restored: Restored, settings?: AppSettings): Promise<AppUnderTest>
  /** Below it everything of the test lies, data directories included. */
  readonly parent: string
}

export type Following = {
  readonly reports: readonly WalReport[]
  /** Waits until all that is committed by now is kept. */
  caughtUp(): Promise<void>
  stop(): Promise<void>
}

export const key = masterKeyAnswer(masterKey)

/** A platform on a PostgreSQL of its own, and a directory for its backups. */
export async function openBackedUp(t: Ending, settings: AppSettings = {}): Promise<BackedUp> {
  const parent = temporaryDirectory()
  t.after(async () => t.after(() => parent.remove()))
  const directory = join(parent.path, 'backups')
  // What a crash would leave is not looked at here, but what is kept.
  const server = await startOwnServer(t, { fsync: 'off' })
  const register = createErasureRegister([join(directory, 'erasures.jsonl')])
  const app = await openApp(t, { url: server.url, erasures: register, ...settings })
  await app.app.seal.checkMasterKey()
  return { ...backedUp(t, app, server.url, directory), parent: parent.path }
}

export function backedUp(t: Ending, app: AppUnderTest, url: string, directory: string): BackedUp {
  const parent = join(directory, '..')
  let restores = 0
  return {
    app,
    directory,
    parent,
    takeBackup: () => takeBackup({ url, database: app.databases.read, directory }),
    async follow() {
      const reports: WalReport[] = []
      const following = followWal({ url, directory, clock: systemClock, report: (report) => void reports.push(report) })
      t.after(() => following.stop())
      const caughtUp = async (): Promise<void> => {
        const [at] = await app.rows<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn')
        const isKept = `select exists (select from pg_replication_slots
          where slot_name = 'millrace_backup' and active and restart_lsn >= $1::pg_lsn) as kept`
        await until(
          'the WAL is kept',
          async () => (await app.rows<{ kept: boolean }>(isKept, [at?.lsn ?? '']))[0]?.kept === true,
        )
      }
      await caughtUp()
      return { reports, caughtUp, stop: () => following.stop() }
    },
    async now() {
      // Whole milliseconds, after all that is committed and before all that will be.
      const at = `select date_trunc('milliseconds', log.now()) + interval '1 ms' as at`
      const [row] = await app.rows<{ at: Date }>(at)
      const passed = 'select log.now() > $1::timestamptz as passed'
      const isPast = async () => (await app.rows<{ passed: boolean }>(passed, [row?.at ?? null]))[0]?.passed === true
      await until('the instant is past', isPast)
      return row?.at ?? new Date(Number.NaN)
    },
    restore: ({ at, timeline, directory: from = directory, answer = key, name = `restored-${++restores}` } = {}) =>
      restoreBackup({
        directory: from,
        dataDir: join(parent, name),
        ...(at === undefined ? {} : { at: at.toISOString() }),
        ...(timeline === undefined ? {} : { timeline }),
        masterKeyAnswer: answer,
        registers: [],
        async verify(database) {
          const { findings } = await findingsIn(database)
          if (findings.length > 0) throw new Error(`what was restored is wrong: ${findings[0]}`)
        },
      }),
    async open({ dataDir }, settings = {}) {
      const server = await startPostgres({ dataDir })
      t.after(async () => t.after(() => server.stop('immediate')))
      return openApp(t, { url: server.url, ...settings })
    },
  }
}
