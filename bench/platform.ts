import { join } from 'node:path'
import { temporaryDirectory } from '#harness/directory'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { systemFetch } from '#kernel/fetch'
import { masterKeyOf } from '#kernel/master-key'
import { startPostgres } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { createAddressGuard } from '#kernel/ssrf'
import { type App, createApp } from '../src/app.ts'
import { SECRET } from './webhooks.ts'

export type Platform = {
  readonly app: App
  readonly read: Database
  readonly url: string
  readonly postmaster: number
  stop(): Promise<void>
}

export const ACCOUNT = 'bench'

/** The platform on a PostgreSQL of its own that keeps its promises: fsync and synchronous_commit are on. */
export async function benchPlatform(): Promise<Platform> {
  const directory = temporaryDirectory()
  // Commit timestamps tell when an entry was posted, to the microsecond, without anybody watching.
  const settings = { track_commit_timestamp: 'on', max_wal_size: '4GB' }
  const postgres = await startPostgres({ dataDir: join(directory.path, 'postgres'), settings })
  const open = (connectionsMax: number) => openDatabase({ url: postgres.url, connectionsMax, applicationName: 'bench' })
  const databases = { door: open(4), work: open(12), read: open(2) }
  const network = systemFetch(systemClock)
  const guard = createAddressGuard(['127.0.0.1'])
  const messenger = systemFetch(systemClock, guard)
  const app = createApp({
    seams: { clock: systemClock, random: systemRandom, fetch: network.fetch, databases },
    masterKey: masterKeyOf(systemRandom.bytes(32)),
    accounts: [
      {
        name: ACCOUNT,
        gateway: 'stripe',
        tenant: 'main',
        mode: 'test',
        merchant: 'mer_bench',
        webhookSecrets: [SECRET],
      },
    ],
    risk: { perCustomerAMinute: 1e6, perMerchantAMinute: 1e6, amountMax: 1e9 },
    process: 'bench',
    webhooks: { fetch: messenger.fetch, guard },
    report: (report) => {
      if (report.kind !== 'handled') console.error(report)
    },
  })
  await app.prepare()
  const running = await app.start()
  return {
    app,
    read: databases.read,
    url: postgres.url,
    postmaster: postgres.pid,
    async stop() {
      await running.stop()
      await Promise.all(Object.values(databases).map((database) => database.close()))
      await network.close()
      await messenger.close()
      await postgres.stop()
      await directory.remove()
    },
  }
}
