import { createCallers } from '#access'
import type { App, RunningApp } from '#app'
import { createRateLimiter, detailsContext, intakeRoutes, type RateLimit } from '#intake'
import type { Clock } from '#kernel/clock'
import { createHttpServer, type HttpServer } from '#kernel/http'
import { StartFailure } from '#kernel/postgres/start'
import type { Random } from '#kernel/random'
import type { Logger } from '#kernel/telemetry'
import { accountBalances, ledgerRoutes, trialBalance } from '#ledger'
import { eventsOfKey } from '#log'
import { findPayments, paymentRoutes } from '#payments'
import { createAdmission } from './admission.ts'
import type { DiskGuard } from './disk.ts'
import { erasureRoutes } from './erasure-routes.ts'
import type { Instruments } from './instruments.ts'
import { systemRoutes } from './system-routes.ts'

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
}

export type RunningHttp = {
  readonly url: string
  /** Takes no new connections, answers what has been asked, and resolves. */
  stop(): Promise<void>
}

/** A payment request is a kilobyte; metadata may make it thirty. */
const BODY_BYTES_MAX = 64 * 1024
/** Events of one payment on one page; a lineage has a few dozen. */
const EVENTS_MAX = 1_000

/** Everything of the platform that listens, on one port. @throws StartFailure when the port cannot be had. */
export async function startHttp(options: HttpOptions): Promise<RunningHttp> {
  const { clock, random, logger, host, port } = options
  const server = createHttpServer({ clock, random, logger, bodyLimit: BODY_BYTES_MAX })
  joinRoutes(server, options)
  try {
    const url = await server.listen({ host, port })
    return { url, stop: () => server.close() }
  } catch (error) {
    await server.close()
    throw explainListen(error, host, port)
  }
}

function joinRoutes(server: HttpServer, options: HttpOptions): void {
  const { app, clock, rateLimit } = options
  const database = app.databases.read
  const callers = createCallers(app.keys, createRateLimiter(clock, rateLimit))
  intakeRoutes(server, { callers, ...acceptsOf(options) })
  paymentRoutes(server, {
    callers,
    find: async (ref) => (await findPayments(database, [ref]))[0],
    events: ({ tenant, mode, id }) => eventsOfKey(database, { key: id, tenant, mode, limit: EVENTS_MAX }),
    openDetails: async (tenant, sealed) => (await app.seal.open([sealed], detailsContext(tenant)))[0]?.toString('utf8'),
  })
  ledgerRoutes(server, {
    callers,
    trialBalance: (about) => trialBalance(database, about),
    accountBalances: (about) => accountBalances(database, about),
  })
  erasureRoutes(server, { callers, eraseCustomer: app.eraseCustomer })
  systemRoutes(server, { ...options, modules: app.modules, database })
}

/** The door, counted, and closed while there is no room behind it. */
function acceptsOf({ app, disk, logger, instruments }: HttpOptions): Pick<App, 'acceptPayment' | 'acceptWebhook'> {
  const admit = createAdmission(disk, logger)
  return {
    async acceptPayment(offer) {
      const outcome = await admit(() => app.acceptPayment(offer))
      instruments.accepted('payment', outcome.status)
      return outcome
    },
    async acceptWebhook(offer) {
      const outcome = await admit(() => app.acceptWebhook(offer))
      instruments.accepted('webhook', 'accepted')
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
