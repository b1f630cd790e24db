import { access, createKeyRing } from '#access'
import { type Destination, deliveryGroup, enqueue, startDeliverer } from '#delivery'
import {
  bodySubjects,
  createGateways,
  createIsCallable,
  createRoute,
  type GatewayAccount,
  gatewayDestinations,
  openWebhook,
} from '#gateways'
import * as gatewayEvents from '#gateways/events'
import {
  createAcceptPayment,
  createAcceptWebhook,
  customerToken,
  type PaymentOffer,
  paymentMethodContext,
  type WebhookOffer,
} from '#intake'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { HttpFetch } from '#kernel/fetch'
import type { MasterKey } from '#kernel/master-key'
import { migrate, type Schema } from '#kernel/migrate'
import type { Random } from '#kernel/random'
import { createSeal, type Seal } from '#kernel/seal'
import { createLedger } from '#ledger'
import {
  createDoor,
  createWakeups,
  type LoopReport,
  type Module,
  operations,
  type RunningLog,
  registerLog,
  roleOf,
  startLog,
} from '#log'
import { createPayments, findPayments, inbox, paymentsOfCustomer } from '#payments'
import * as paymentEvents from '#payments/events'
import { assess, createVelocityRules, type RiskScorer, type VelocityLimits } from '#risk'

/** All that reaches the outside: what a simulation replaces. */
export type Seams = {
  readonly clock: Clock
  readonly random: Random
  readonly fetch: HttpFetch
  readonly databases: {
    /** For the door alone: accepting waits for nobody else's connections. */
    readonly door: Database
    /** For consumers, timers and deliverers. */
    readonly work: Database
    /** For questions: read-only ports, pages, the CLI. */
    readonly read: Database
  }
}

export type AppOptions = {
  readonly seams: Seams
  readonly masterKey: MasterKey
  readonly accounts: readonly GatewayAccount[]
  readonly risk: VelocityLimits
  /** Replaces the velocity rules. */
  readonly scorer?: RiskScorer
  /** Name of this process, different from every other's and from its own earlier lives. */
  readonly process: string
  readonly report: (report: LoopReport) => void
}

export type App = ReturnType<typeof createApp>

/** How long the door waits to learn of an earlier request under the same key; then it goes on without. */
const FIND_DEADLINE_MS = 50

/** Which modules there are, and how they are joined: the only place that knows them all. */
export function createApp({ seams, masterKey, accounts, risk, scorer, process, report }: AppOptions) {
  const { clock, random, fetch, databases } = seams
  const wakeups = createWakeups()
  const door = createDoor(databases.door, wakeups)
  const seal = createSeal({ masterKey, database: databases.door, random, clock })
  const modules = createModules(accounts, seal)
  const destinations = gatewayDestinations(accounts, { seal, fetch, paymentMethodContext })
  const keys = createKeyRing(databases.read)
  const rules = scorer ?? createVelocityRules(clock, risk)

  const acceptPayment = createAcceptPayment({
    door,
    seal,
    clock,
    inbox,
    assess: (request) => assess(rules, request, clock),
    findAccepted: (ref) => inTime(clock, findAccepted(databases.read, ref)),
  })
  const acceptWebhook = createAcceptWebhook({ door, open: (offer) => open(offer, accounts, seal, clock) })

  return {
    modules,
    destinations,
    keys,
    seal,
    door,
    wakeups,
    databases,
    acceptPayment: (offer: PaymentOffer) => acceptPayment(offer),
    acceptWebhook: (offer: WebhookOffer) => acceptWebhook(offer),
    /** Makes everything of a customer unreadable, for good. Returns how many data keys were destroyed. */
    eraseCustomer: (tenant: string, customer: string) => eraseCustomer(databases.read, seal, tenant, customer),
    prepare: () => prepare(databases.work, modules, destinations),
    async start(): Promise<RunningApp> {
      await seal.checkMasterKey()
      await keys.refresh()
      const stopKeys = keys.keepFresh(clock)
      const soloGroups = destinations.map(({ name }) => deliveryGroup(name))
      const log = await startLog({
        modules,
        database: databases.work,
        clock,
        random,
        wakeups,
        process,
        soloGroups,
        enqueue,
        report,
      })
      const deliverers = destinations.map((destination) =>
        startDeliverer(destination, { database: databases.work, clock, random, wakeups, leases: log.leases, report }),
      )
      return {
        log,
        async stop() {
          await door.close()
          await Promise.all(deliverers.map((deliverer) => deliverer.stop()))
          await log.stop()
          await stopKeys()
        },
      }
    },
  }
}

export type RunningApp = { readonly log: RunningLog; stop(): Promise<void> }

/** The modules in the order money flows. */
export function createModules(accounts: readonly GatewayAccount[], { digest }: Pick<Seal, 'digest'>): Module[] {
  return [
    access,
    operations,
    createGateways(accounts),
    createPayments(gatewayEvents, {
      route: createRoute(accounts),
      isCallable: createIsCallable(accounts),
      operationId: (payment, call, key) => `op_${digest('operation', payment, call, key)}`,
    }),
    createLedger({
      paymentCaptured: paymentEvents.paymentCaptured,
      paymentFeeCharged: paymentEvents.paymentFeeCharged,
      paymentRefunded: paymentEvents.paymentRefunded,
      paymentDisputed: paymentEvents.paymentDisputed,
      paymentDisputeReinstated: paymentEvents.paymentDisputeReinstated,
      paymentDisputeLost: paymentEvents.paymentDisputeLost,
      payoutPaid: paymentEvents.payoutPaid,
    }),
  ]
}

/** Schemas, topics and groups. Safe to repeat, and for two processes at once. */
async function prepare(
  database: Database,
  modules: readonly Module[],
  destinations: readonly Destination[],
): Promise<void> {
  await migrate(database, schemasOf(modules))
  await registerLog(
    database,
    modules,
    destinations.map(({ name }) => deliveryGroup(name)),
  )
}

export function schemasOf(modules: readonly Module[]): Schema[] {
  // Roles are made with a module's schema: one without tables of its own has none.
  const opensTo = modules.filter(({ migrations }) => migrations !== undefined).map(({ name }) => roleOf(name))
  return [
    { name: 'vault', migrations: new URL('./kernel/migrations/', import.meta.url) },
    { name: 'log', migrations: new URL('./log/migrations/', import.meta.url), opensTo },
    { name: 'delivery', migrations: new URL('./delivery/migrations/', import.meta.url), opensTo },
    ...modules.flatMap(({ name, migrations }) => (migrations ? [{ name, migrations, role: roleOf(name) }] : [])),
  ]
}

function open(offer: WebhookOffer, accounts: readonly GatewayAccount[], seal: Seal, clock: Clock) {
  const account = accounts.find(({ name, gateway }) => name === offer.account && gateway === offer.gateway)
  if (!account) return { status: 'account_not_found' as const }
  const { body, signature, traceparent } = offer
  return openWebhook({ account, body, signature, traceparent, now: clock.now() }, seal)
}

async function findAccepted(database: Database, ref: { tenant: string; mode: string; id: string }) {
  const [payment] = await findPayments(database, [ref])
  if (payment?.fingerprint == null) return undefined
  return { fingerprint: payment.fingerprint, rejected: payment.status === 'rejected' ? ['risk'] : undefined }
}

/** A query port's fallback: after the deadline, or with the database away, nothing is known. */
async function inTime<T>(clock: Clock, answer: Promise<T>): Promise<T | undefined> {
  const answered = new AbortController()
  const late = clock.sleep(FIND_DEADLINE_MS, answered.signal).then(() => undefined)
  const first = await Promise.race([answer.catch(() => undefined), late])
  answered.abort()
  return first
}

async function eraseCustomer(database: Database, seal: Seal, tenant: string, customer: string): Promise<number> {
  const token = customerToken(seal.digest, tenant, customer)
  const payments = await paymentsOfCustomer(database, tenant, token)
  const subjects = [
    `person:${token}`,
    ...payments.map((payment) => `payment:${payment}`),
    ...(await bodySubjects(database, tenant, payments)),
  ]
  let destroyed = 0
  for (const subject of subjects) destroyed += await seal.erase(tenant, subject)
  return destroyed
}
