import { hostname } from 'node:os'
import { join } from 'node:path'
import { createApp, type RunningApp } from '#app'
import type { GatewayAccount } from '#gateways'
import { type SimulatedGateway, type SimulatedGatewayOptions, startSimulatedGateway } from '#gateways/simulated'
import { createDiskGuard, createInstruments, freeBytesOf, noDisk, type RunningHttp, startHttp } from '#http'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import { createErasureRegister } from '#kernel/erasure-register'
import { systemFetch } from '#kernel/fetch'
import { boundHeap } from '#kernel/heap'
import { type EmbeddedPostgres, startPostgres } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { createAddressGuard } from '#kernel/ssrf'
import { createLogger, createMetrics, type Logger } from '#kernel/telemetry'
import { openOtlpTracer } from '#kernel/telemetry-otlp'
import { unpostedMoney } from '#ledger'
import type { LoopReport } from '#log'
import { type AccountSettings, masterKeyIn, type Opened, openSecrets } from './account-secrets.ts'
import { archivingOf, DAY_MS } from './archive.ts'
import { createDoorSnapshot } from './door-snapshot.ts'
import { eraseAgain, keepWal, registersOf } from './kept-copies.ts'
import { openPlatformSpool, spoolDirectory } from './spool-directory.ts'
import { startNowOrLater } from './start-later.ts'
import { createUndo } from './undo.ts'
import { version } from './version.ts'

/** A simulated gateway to start beside the platform, and the account it is to us. */
export type SimulatedAccount = AccountSettings & {
  /** Whether we call it; else it only reports. */
  readonly isCalled: boolean
  readonly options?: Pick<SimulatedGatewayOptions, 'deliver' | 'random' | 'limits'>
}

export type PlatformOptions = {
  readonly config: Config
  /** Accounts at gateways that run elsewhere. */
  readonly accounts: readonly AccountSettings[]
  readonly simulated: readonly SimulatedAccount[]
}

export type Platform = {
  readonly url: string
  readonly app: ReturnType<typeof createApp>
  readonly running: RunningApp
  readonly http: RunningHttp
  readonly gateways: ReadonlyMap<string, SimulatedGateway>
  readonly accounts: readonly GatewayAccount[]
  readonly postgres: EmbeddedPostgres | undefined
  /** Whether it takes requests into the spool, and starts the rest when the database answers. */
  isWaiting(): boolean
  /** Takes nothing new, ends what is under way, gives the leases back, stops PostgreSQL if it is ours. */
  stop(): Promise<void>
}

/** Starts all of it, in the order in which each needs the one before; what fails on the way is undone. */
export async function startPlatform({ config, accounts, simulated }: PlatformOptions): Promise<Platform> {
  boundHeap()
  const undo = createUndo()
  try {
    const postgres = config.databaseUrl === undefined ? await startEmbedded(config) : undefined
    if (postgres) undo.add(() => postgres.stop())
    const masterKey = await masterKeyIn(config)
    const databases = openDatabases(config.databaseUrl ?? postgres?.url ?? '')
    undo.add(() => Promise.all(Object.values(databases).map((database) => database.close())))
    const logger = createLogger({ level: config.logLevel, clock: systemClock, destination: process.stderr })
    const name = `${hostname()}-${process.pid}-${systemRandom.bytes(4).toString('hex')}`
    const directory = spoolDirectory(config)
    const spool = await openPlatformSpool({ directory, process: name, masterKey, logger })
    undo.add(() => spool.close())
    const failed = (error: unknown): void => logger.warn({ err: error }, 'the snapshot of keys cannot be written')
    const door = createDoorSnapshot({ directory, masterKey, random: systemRandom, clock: systemClock, failed })
    const withSecrets = await openSecrets([...accounts, ...simulated], databases.work, masterKey, door.secrets)
    const carrier = systemFetch(systemClock)
    undo.add(() => carrier.close())
    const guard = createAddressGuard(config.webhooks.allowHosts)
    const messenger = systemFetch(systemClock, guard)
    undo.add(() => messenger.close())

    let http: RunningHttp | undefined
    const opened = simulated.map(withSecrets)
    const gateways = await startGateways(opened, () => http?.url ?? '', undo.add)
    const tracer = config.tracing && (await openOtlpTracer(config.tracing, { clock: systemClock, version: version() }))
    if (tracer) undo.add(() => tracer.close())
    const instruments = createInstruments(createMetrics({ ofProcess: true }), {
      ...(tracer ? { spans: tracer } : {}),
      waiting: () => unpostedMoney(databases.read),
      spool: () => spool.status(),
    })
    const archiving = archivingOf(config)
    await archiving?.archive.open()
    const known = [...accounts.map(withSecrets), ...opened.map((account) => accountOf(account, gateways))]
    const app = createApp({
      seams: { clock: systemClock, random: systemRandom, fetch: carrier.fetch, databases },
      masterKey,
      accounts: known,
      risk: config.risk,
      ledger: config.ledger,
      webhooks: {
        fetch: messenger.fetch,
        guard,
        backlogMax: config.webhooks.backlogMax,
        retentionMs: config.retention.webhookDays * DAY_MS,
      },
      ...(tracer ? { tracer } : {}),
      ...(archiving ? { archiving } : {}),
      erasures: createErasureRegister(registersOf(config)),
      attempted: instruments.attempted,
      spool,
      keySnapshot: door.keys,
      process: name,
      report: (report) => {
        instruments.report(report)
        tell(report, logger)
      },
    })
    const wal = keepWal(config, config.databaseUrl ?? postgres?.url ?? '', logger)
    undo.add(() => wal.stop())
    const prepare = (): Promise<void> => app.prepare().then(() => eraseAgain(config, databases.work, logger))
    const running = await startNowOrLater({
      app: { ...app, prepare },
      mayWait: postgres === undefined,
      clock: systemClock,
      logger,
    })
    undo.add(() => running.stop())
    const disk = postgres
      ? createDiskGuard({ clock: systemClock, freeBytes: () => freeBytesOf(postgres.dataDir) })
      : noDisk
    const { host, port, rateLimit } = config
    const seams = { clock: systemClock, random: systemRandom, logger, instruments }
    const started = await startHttp({ app, running, ...seams, disk, rateLimit, host, port, version: version() })
    http = started
    undo.add(() => started.stop())
    const { isWaiting } = running
    const about = { url: started.url, app, running, http: started, gateways, accounts: known, postgres, isWaiting }
    return { ...about, stop: undo.all }
  } catch (error) {
    await undo.all()
    throw error
  }
}

function startEmbedded({ dataDir }: Config): Promise<EmbeddedPostgres> {
  return startPostgres({ dataDir: join(dataDir, 'postgres') })
}

/** A share each: the door waits for nobody else's connections, nor do the questions of people. */
const shares = { door: 6, work: 16, read: 6 }

/** Sessions that a process may want of the database: the shares, and the one that listens. */
export const connectionsOfAProcess = shares.door + shares.work + shares.read + 1

function openDatabases(url: string) {
  const open = (name: keyof typeof shares) =>
    openDatabase({ url, connectionsMax: shares[name], applicationName: `millrace ${name}` })
  return { door: open('door'), work: open('work'), read: open('read') }
}

async function startGateways(
  simulated: readonly Opened<SimulatedAccount>[],
  platformUrl: () => string,
  undo: (step: () => Promise<unknown>) => void,
): Promise<ReadonlyMap<string, SimulatedGateway>> {
  const gateways = new Map<string, SimulatedGateway>()
  for (const {
    name,
    webhookSecrets: [webhookSecret = ''],
    options,
  } of simulated) {
    const webhookUrl = (): string => `${platformUrl()}/v1/gateways/simulated/${name}/webhooks`
    const gateway = await startSimulatedGateway({
      clock: systemClock,
      random: systemRandom,
      webhookUrl,
      webhookSecret,
      ...options,
    })
    gateways.set(name, gateway)
    undo(() => gateway.stop())
  }
  return gateways
}

function accountOf(
  { isCalled, options: _, ...account }: Opened<SimulatedAccount>,
  gateways: ReadonlyMap<string, SimulatedGateway>,
): GatewayAccount {
  const url = gateways.get(account.name)?.url
  return isCalled && url !== undefined ? { ...account, url } : account
}

/** What an operator has to know of the loops; what they handle is in the metrics. */
function tell(report: LoopReport, logger: Logger): void {
  const { group } = report
  switch (report.kind) {
    case 'handled':
      break
    case 'parked':
      logger.warn({ group, key: report.key, reason: report.error }, 'an event was parked')
      break
    case 'halted':
      logger.error({ group, parked: report.parked }, 'a group has halted: it parks too much')
      break
    case 'partition_stopped':
      logger.error({ ...report }, 'a partition met an event of a newer version and waits for an upgrade')
      break
    case 'fault':
      logger.warn({ group, reason: report.error }, 'a batch failed and is tried again')
  }
}
