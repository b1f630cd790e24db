import { createCallers } from '#access'
import type { App, RunningApp } from '#app'
import { fxRoutes, ratesOn } from '#fx'
import { createRateLimiter, customerToken, intakeRoutes, operationRoutes, type RateLimit } from '#intake'
import type { Clock } from '#kernel/clock'
import { createHttpServer, type HttpServer } from '#kernel/http'
import { StartFailure } from '#kernel/postgres/start'
import type { Random } from '#kernel/random'
import type { Logger } from '#kernel/telemetry'
import { accountBalances, ledgerApi, listAccounts, trialBalance } from '#ledger'
import { listPayments, paymentListRoutes, paymentRoutes } from '#payments'
import { webhookRoutes } from '#webhooks'
import { createAdmission } from './admission.ts'
import type { DiskGuard } from './disk.ts'
import { docsRoutes } from './docs-routes.ts'
import { createDraining, type Draining } from './draining.ts'
import { erasureRoutes } from './erasure-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { createFollowing, type Following } from './following.ts'
import type { Instruments } from './instruments.ts'
import { collectRoutes, openApiOf } from './openapi.ts'
import { createPaymentsShown } from './payments-shown.ts'
import { publicTypes } from './public-events.ts'
import { systemRoutes } from './system-routes.ts'
import { traceRequests } from './tracing.ts'
import { type ApiVersion, apiVersions, translateVersions } from './versions.ts'

export type HttpOptions = {
  readonly app: App
  readonly running: RunningApp
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly instruments: Instruments
  readonly disk: DiskGuard
  readonly rateLimit: RateLimit
  readonly host: string
  readonly port: number
  readonly version: string
  /** Of the API; those there are, unless a test pretends that there were others. */
  readonly versions?: readonly ApiVersion[]
}

export type RunningHttp = {
  readonly url: string
  /** `/readyz` says no from now on, and every answer ends its connection. Requests are still taken. */
  turnAway(): void
  /** Requests that are not answered yet. */
  underWay(): number
  /** Takes no new connections, answers what has been asked, and resolves. Safe to repeat. */
  stop(): Promise<void>
  /** Drops every connection, whatever is under way on it. */
  cut(): void
}

/** A payment request is a kilobyte; metadata may make it thirty. */
const BODY_BYTES_MAX = 64 * 1024

/** While closing, how often connections are looked for that nobody uses any more. */
const CLOSE_IDLE_MS = 20

/** Everything of the platform that listens, on one port. @throws StartFailure when the port cannot be had. */
export async function startHttp(options: HttpOptions): Promise<RunningHttp> {
  const { clock, random, logger, host, port } = options
  const server = createHttpServer({ clock, random, logger, bodyLimit: BODY_BYTES_MAX })
  const following = createFollowing(options.app, clock)
  const draining = createDraining(server)
  traceRequests(server, { tracer: options.app.tracer, clock, random })
  joinRoutes(server, options, following, draining)
  try {
    const url = await server.listen({ host, port })
    let stopped: Promise<void> | undefined
    return {
      url,
      turnAway: draining.begin,
      underWay: draining.underWay,
      stop() {
        draining.begin()
        stopped ??= stop(server, following, clock)
        return stopped
      },
      cut: () => server.server.closeAllConnections(),
    }
  } catch (error) {
    await stop(server, following, clock)
    throw explainListen(error, host, port)
  }
}

async function stop(server: HttpServer, following: Following, clock: Clock): Promise<void> {
  await following.release()
  const closed = new AbortController()
  const closing = server.close().finally(() => closed.abort())
  // A connection whose request was under way when closing began becomes idle after it, and would be waited for.
  while (!closed.signal.aborted) {
    server.server.closeIdleConnections()
    await clock.sleep(CLOSE_IDLE_MS, closed.signal)
  }
  await closing
  await following.close()
}

function joinRoutes(
  server: HttpServer,
  options: HttpOptions,
  { follower, streams, whenDecided }: Following,
  draining: Draining,
): void {
  const { app, clock, rateLimit, versions = apiVersions } = options
  const database = app.databases.read
  const routes = collectRoutes(server)
  const dates = versions.map(({ date }) => date)
  const callers = createCallers(app.keys, createRateLimiter(clock, rateLimit), dates)
  translateVersions(server, versions, callers.versionOf)
  const { show, events } = createPaymentsShown(app)
  const accepts = acceptsOf(options)
  intakeRoutes(server, { callers, show, whenDecided, ...accepts })
  operationRoutes(server, { callers, show, whenDecided, ...accepts })
  paymentRoutes(server, { callers, show, events })
  paymentListRoutes(server, {
    callers,
    cursors: app.cursors,
    list: (about) => listPayments(database, about),
    customerToken: (tenant, customer) => customerToken(app.seal.digest, tenant, customer),
  })
  ledgerApi(server, {
    callers,
    clock,
    cursors: app.cursors,
    database,
    seal: app.seal,
    ...app.ledger,
    ratesAt: app.rates.ratesAt,
    revalue: app.revalue,
    trialBalance: (about, asOf) => trialBalance(database, about, asOf),
    accountBalances: (about) => accountBalances(database, about),
    listAccounts: (about) => listAccounts(database, about),
    findSettings: app.ledger.accounts.find,
  })
  fxRoutes(server, {
    callers,
    clock,
    record: app.recordRates,
    ratesOn: (whose, day) => ratesOn(database, whose, day),
  })
  eventRoutes(server, { callers, follower, streams, cursors: app.cursors, types: publicTypes(app.modules) })
  webhookRoutes(server, { callers, cursors: app.cursors, endpoints: app.endpoints })
  erasureRoutes(server, { callers, eraseCustomer: app.eraseCustomer })
  docsRoutes(server, () => openApiOf(routes, { version: options.version, versions: dates }))
  systemRoutes(server, { ...options, modules: app.modules, database, spool: app.spool, isStopping: draining.isOn })
}

/** The door, counted, and closed while there is no room behind it. */
function acceptsOf({
  app,
  clock,
  disk,
  logger,
  instruments,
}: HttpOptions): Pick<App, 'acceptPayment' | 'acceptOperation' | 'acceptWebhook'> {
  const admit = createAdmission(disk, logger)
  return {
    async acceptPayment(offer) {
      const begunMs = clock.monotonicMs()
      const outcome = await admit(() => app.acceptPayment(offer))
      instruments.accepted('payment', outcome.status, clock.monotonicMs() - begunMs)
      return outcome
    },
    async acceptOperation(offer) {
      const begunMs = clock.monotonicMs()
      const outcome = await admit(() => app.acceptOperation(offer))
      instruments.accepted('operation', outcome.status, clock.monotonicMs() - begunMs)
      return outcome
    },
    async acceptWebhook(offer) {
      const begunMs = clock.monotonicMs()
      const outcome = await admit(() => app.acceptWebhook(offer))
      instruments.accepted('webhook', 'accepted', clock.monotonicMs() - begunMs)
      return outcome
    },
  }
}

function explainListen(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = `Port ${port} on ${host}`
  switch (code) {
    case 'EADDRINUSE':
      return new StartFailure(`${where} is taken: stop what uses it, or set MILLRACE_PORT to another port.`)
    case 'EACCES':
      return new StartFailure(`${where} may not be used by this user: set MILLRACE_PORT to a port above 1023.`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartFailure(`${host} is no address of this machine: set MILLRACE_HOST to one that is.`)
    default:
      return error
  }
}
