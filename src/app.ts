import { access, createKeyRing, type KeySnapshot } from '#access'
import { type AttemptReport, type Destination, deliveryGroup, enqueue, startDeliverer } from '#delivery'
import { createRates, createRecordRates, fx } from '#fx'
import {
  createGateways,
  createIsCallable,
  createRoute,
  type GatewayAccount,
  gatewayDestinations,
  openWebhook,
} from '#gateways'
import * as gatewayEvents from '#gateways/events'
import {
  createAcceptOperation,
  createAcceptPayment,
  createAcceptWebhook,
  type OperationOffer,
  type PaymentOffer,
  paymentMethodContext,
  type WebhookOffer,
} from '#intake'
import type { Clock } from '#kernel/clock'
import type { LedgerSettings } from '#kernel/config-ledger'
import type { Database } from '#kernel/database'
import type { ErasureRegister } from '#kernel/erasure-register'
import { Refusal } from '#kernel/errors'
import type { HttpFetch } from '#kernel/fetch'
import { createCursors } from '#kernel/http-cursor'
import type { MasterKey } from '#kernel/master-key'
import { migrate, type Schema } from '#kernel/migrate'
import type { Random } from '#kernel/random'
import { createSeal, type Seal } from '#kernel/seal'
import { type AddressGuard, createAddressGuard } from '#kernel/ssrf'
import { noTracer, type Tracer } from '#kernel/tracing'
import { createLedger, createLedgerCommands, createRevaluation } from '#ledger'
import {
  createDoor,
  createRecentTraces,
  createWakeups,
  eventsOfKey,
  type LoopReport,
  type Module,
  operations,
  type RunningLog,
  registerLog,
  roleOf,
  startLog,
} from '#log'
import { createJudge, createPayments, inbox, operationInbox, type PaymentsPorts } from '#payments'
import * as paymentEvents from '#payments/events'
import { assess, createVelocityRules, type RiskScorer, type VelocityLimits } from '#risk'
import { secrets } from '#secrets'
import { createSpoolingDoor, type Spool } from '#spool'
import { administerWebhooks, BACKLOG_DEFAULT, createWebhooks, startWebhooks, webhookGroup } from '#webhooks'
import { createAcceptedBefore } from './accepted-before.ts'
import { eraseCustomer } from './erase-customer.ts'
import { createSpooledPayments } from './spooled-payments.ts'

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
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  /** Told of every attempt of a delivery: for metrics. */
  readonly attempted?: (attempt: AttemptReport) => void
  /** Absent: there are no charts of accounts, and no templates of entries. */
  readonly ledger?: LedgerSettings
  readonly webhooks?: WebhookOptions
  /** Absent: this process archives nothing, and drops nothing. */
  readonly archiving?: NonNullable<Parameters<typeof startLog>[0]['archiving']>
  /** Takes what the log cannot. Absent: the door says "try again" instead. */
  readonly spool?: Spool
  /** Where erasures are written down outside the database. Absent: a restore of it would forget them. */
  readonly erasures?: ErasureRegister
  /** What the spool is of no use without: who may ask. */
  readonly keySnapshot?: KeySnapshot
  readonly report: (report: LoopReport) => void
}

export type WebhookOptions = {
  /** How endpoints are called. Absent: they are not. Whoever hands it over has it guarded by `guard`. */
  readonly fetch?: HttpFetch
  /** Addresses that endpoints may not have. Absent: whatever is not on the public internet. */
  readonly guard?: AddressGuard
  /** Deliveries of an endpoint that may be open. */
  readonly backlogMax?: number
  /** For how long streams keep their messages, in ms. */
  readonly retentionMs?: number
}

export type App = ReturnType<typeof createApp>

/** The log is expected back soon. */
const LOG_RETRY_SECONDS = 2

/** Which modules there are, and how they are joined: the only place that knows them all. */
export function createApp(options: AppOptions) {
  const { seams, masterKey, accounts, risk, scorer, process, tracer = noTracer, attempted = () => {}, report } = options
  const { guard = createAddressGuard([]), backlogMax = BACKLOG_DEFAULT, retentionMs } = options.webhooks ?? {}
  const { clock, random, fetch, databases } = seams
  const { spool } = options
  const wakeups = createWakeups()
  const recent = createRecentTraces(tracer, clock)
  const door = createDoor(databases.door, wakeups, { tracing: { tracer, clock, recent } })
  const seal = createSeal({ masterKey, database: databases.door, random, clock, erasures: options.erasures })
  const spooling = spool && createSpoolingDoor({ door, spool, clock, failed: (error) => report(spoolFault(error)) })
  const spooled = spool && createSpooledPayments(spool, seal)
  const rules = scorer ?? createVelocityRules(clock, risk)
  const modules = createModules(accounts, seal, (request) => assess(rules, request, clock), backlogMax)
  const destinations = gatewayDestinations(accounts, { seal, fetch, paymentMethodContext })
  const keys = createKeyRing(databases.read, options.keySnapshot)
  const acceptedBefore = createAcceptedBefore(databases.read, clock)
  const rates = createRates(databases.read)
  const onLedger = { work: databases.door, read: databases.read, wakeups, clock }

  const acceptPayment = createAcceptPayment({
    door: spooling ?? door,
    seal,
    clock,
    inbox,
    assess: (request) => assess(rules, request, clock),
    async findAccepted(ref) {
      if (spooled?.holds(ref.id)) return spooled.remembered(ref)
      return spooling?.isSpooling() ? undefined : acceptedBefore(ref)
    },
  })
  const acceptOperation = createAcceptOperation({
    door,
    seal,
    clock,
    inbox: operationInbox,
    operationId: createOperationId(seal),
    judge: createJudge({
      database: databases.read,
      isCallable: createIsCallable(accounts),
      async isAccepted({ id, ...whose }) {
        // Accepted, and unknown to the log: what is asked of it now has to wait, and nobody may be told that it is not there.
        if (spool?.holds(id)) throw new Refusal('log_unavailable', { retryAfterSeconds: LOG_RETRY_SECONDS })
        return (await eventsOfKey(databases.read, { key: id, ...whose, limit: 1 })).length > 0
      },
    }),
  })
  const acceptWebhook = createAcceptWebhook({
    door: spooling ?? door,
    open(offer) {
      const opened = open(offer, accounts, seal, clock)
      // Gateways carry no trace back to us: what they report of a payment of ours goes on in its request's trace.
      return opened.status === 'event' ? { ...opened, event: recent.continued(opened.event, opened.payment) } : opened
    },
  })

  const endpoints = administerWebhooks({
    work: databases.work,
    read: databases.read,
    clock,
    random,
    seal,
    guard,
    door,
    wakeups,
    types: webhookTypes,
  })

  return {
    tracer,
    endpoints,
    ledger: createLedgerCommands({ ...onLedger, random, seal, settings: options.ledger ?? {} }),
    rates,
    recordRates: createRecordRates({ database: databases.door, wakeups, random }),
    revalue: createRevaluation({ ...onLedger, ratesAt: rates.ratesAt }),
    modules,
    destinations,
    keys,
    seal,
    door,
    spool,
    spooled,
    wakeups,
    databases,
    cursors: createCursors(masterKey),
    acceptPayment: (offer: PaymentOffer) => acceptPayment(offer),
    acceptOperation: (offer: OperationOffer) => acceptOperation(offer),
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
        tail: door.tail,
        process,
        soloGroups,
        sharedGroups: [webhookGroup],
        enqueue,
        ...(options.archiving ? { archiving: options.archiving } : {}),
        tracer,
        report,
      }).catch(async (error) => {
        await stopKeys()
        throw error
      })
      spooling?.startDraining()
      const delivering = {
        database: databases.work,
        clock,
        random,
        wakeups,
        tail: door.tail,
        leases: log.leases,
        tracer,
        attempted,
        report,
      }
      const deliverers = destinations.map((destination) => startDeliverer(destination, delivering))
      const webhooks = startWebhooks({ ...delivering, seal, fetch: options.webhooks?.fetch, backlogMax, retentionMs })
      const delivers = [webhooks, ...deliverers]
      return {
        log,
        callsUnderWay: () => delivers.reduce((sum, deliverer) => sum + deliverer.underWay(), 0),
        async stop() {
          await (spooling ?? door).close()
          await Promise.all(delivers.map((deliverer) => deliverer.stop()))
          await log.stop()
          await stopKeys()
        },
      }
    },
  }
}

export type RunningApp = {
  readonly log: RunningLog
  /** Calls to the outside that were begun and are not on record. */
  callsUnderWay(): number
  /** Resolves when the calls and batches under way have ended and the leases are given back. */
  stop(): Promise<void>
}

/** The modules in the order money flows. */
export function createModules(
  accounts: readonly GatewayAccount[],
  seal: Pick<Seal, 'digest'>,
  assess: PaymentsPorts['assess'] = refuseUnassessed,
  backlogMax: number = BACKLOG_DEFAULT,
): Module[] {
  return [
    access,
    secrets,
    operations,
    createGateways(accounts),
    createPayments(gatewayEvents, {
      route: createRoute(accounts),
      isCallable: createIsCallable(accounts),
      operationId: createOperationId(seal),
      assess,
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
    fx,
    createWebhooks({ types: webhookTypes, backlogMax }),
  ]
}

/** Told as any loop's: it is tried again, and nothing is lost. */
function spoolFault(error: unknown): LoopReport {
  return { kind: 'fault', group: 'spool', error: error instanceof Error ? error.name : 'unknown' }
}

/** Names an operation: a pure function of what is asked, so that asking again is no second one. */
function createOperationId({ digest }: Pick<Seal, 'digest'>): PaymentsPorts['operationId'] {
  return (payment, call, key) => `op_${digest('operation', payment, call, key)}`
}

/** Where modules are only declared, nobody scores. */
async function refuseUnassessed() {
  return { score: 1, reasons: ['scorer_missing'], isRefused: true }
}

/** What the outside is told of: facts of payments and payouts. The books follow from them, and can be asked for. */
const webhookTypes = Object.values(paymentEvents).filter(({ topic }) => topic === 'payments' || topic === 'payouts')

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
    [webhookGroup],
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
  const { body, json, signature, traceparent } = offer
  return openWebhook({ account, body, json, signature, traceparent, now: clock.now() }, seal)
}
