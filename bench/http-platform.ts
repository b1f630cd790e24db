import { join } from 'node:path'
import { issueApiKey } from '#access'
import { temporaryDirectory } from '#harness/directory'
import type { Database } from '#kernel/database'
import { startPostgres } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import type { Spool } from '#spool'
import { startPlatform } from '../src/cli/platform.ts'
import { type Child, startChild } from './child.ts'
import type { SimulatorAnswer, SimulatorQuestion } from './children/simulator.ts'
import { SECRET } from './webhooks.ts'

export type HttpPlatform = {
  readonly url: string
  readonly apiKey: string
  readonly read: Database
  readonly databaseUrl: string
  readonly postmaster: number
  readonly spool: Spool | undefined
  /** Ends every process of PostgreSQL, as a crash does; the returned function starts it again on the same data. */
  crashPostgres(): Promise<() => Promise<void>>
  readonly simulator: Child<SimulatorQuestion, SimulatorAnswer>
  stop(): Promise<void>
}

const MERCHANT = 'mer_bench'

/**
 * What `npm start` runs, in this process, with limits out of the way: its PostgreSQL keeps its promises (fsync and
 * synchronous_commit are on). The simulated gateway is a process of its own.
 */
export async function httpPlatform(): Promise<HttpPlatform> {
  const directory = temporaryDirectory()
  // Commit timestamps tell when an entry was posted, to the microsecond, without anybody watching.
  const settings = { track_commit_timestamp: 'on', max_wal_size: '4GB' }
  const startServer = (port?: number) =>
    startPostgres({ dataDir: join(directory.path, 'postgres'), settings, ...(port === undefined ? {} : { port }) })
  let postgres = await startServer()
  const simulator = await startChild<SimulatorQuestion, SimulatorAnswer>('simulator')
  const { url: gatewayUrl } = await simulator.ask({ webhookSecret: SECRET })
  const about = { tenant: 'main', mode: 'test', merchant: MERCHANT, webhookSecrets: [SECRET] } as const
  const platform = await startPlatform({
    config: {
      port: 0,
      host: '127.0.0.1',
      dataDir: directory.path,
      databaseUrl: postgres.url,
      mode: 'test',
      logLevel: 'error',
      ledger: { charts: {}, templates: {} },
      gateways: {},
      risk: { perCustomerAMinute: 1e6, perMerchantAMinute: 1e9, amountMax: 1e9 },
      rateLimit: { perSecond: 1e6, burst: 1e6 },
      webhooks: { allowHosts: [], backlogMax: 10_000 },
      archive: { dir: undefined },
      retention: { days: undefined, webhookDays: 90 },
      spool: { dir: undefined },
      backup: { dir: undefined },
      drain: { graceSeconds: 0, limitSeconds: 25 },
    },
    accounts: [
      { name: 'bench', gateway: 'stripe', ...about },
      { name: 'simulated', gateway: 'simulated', ...about, url: gatewayUrl },
    ],
    simulated: [],
  })
  await simulator.ask({ webhookUrl: `${platform.url}/v1/gateways/simulated/simulated/webhooks` })
  const read = openDatabase({ url: postgres.url, connectionsMax: 2, applicationName: 'bench' })
  const apiKey = await issueApiKey(read, systemRandom, { tenant: 'main', mode: 'test' })
  await platform.app.keys.refresh()
  return {
    url: platform.url,
    apiKey,
    read,
    databaseUrl: postgres.url,
    postmaster: postgres.pid,
    spool: platform.app.spool,
    async crashPostgres() {
      const { port } = postgres
      await postgres.stop('immediate')
      return async () => {
        postgres = await startServer(port)
      }
    },
    simulator,
    async stop() {
      await platform.stop()
      await simulator.stop()
      await read.close()
      await postgres.stop()
      await directory.remove()
    },
  }
}
