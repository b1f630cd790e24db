import { createHash } from 'node:crypto'
import { type App, type AppOptions, createApp, type RunningApp } from '#app'
import type { GatewayAccount } from '#gateways'
import { sign } from '#gateways/stripe'
import type { AcceptOutcome } from '#intake'
import { type Clock, systemClock } from '#kernel/clock'
import { type Database, type SqlValue, statement } from '#kernel/database'
import { type HttpFetch, systemFetch } from '#kernel/fetch'
import { brandId, type Mode } from '#kernel/ids'
import { masterKeyOf } from '#kernel/master-key'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import type { LoopReport } from '#log'
import type { RiskScorer } from '#risk'
import type { Spool } from '#spool'
import { createDatabase } from './database.ts'
import type { StripeEvent } from './stripe-events.ts'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void>): void }

export const webhookSecret = 'whsec_test_of_the_platform'
export const masterKey = masterKeyOf(Buffer.alloc(32, 7))
export const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** An account that only reports: its payments begin at the gateway. */
export function stripeAccount(about: Partial<GatewayAccount> = {}): GatewayAccount {
  const base = { name: 'acme', tenant: 'main', mode: 'test', merchant: 'mer_acme' } as const
  return { ...base, gateway: 'stripe', webhookSecrets: [webhookSecret], ...about }
}

/** A database with every schema of the platform, gone when the test ends. */
export function createAppDatabase(t: Ending): Promise<{ url: string }> {
  return createDatabase(t, { template: prepareAll, templateName: 'app' })
}

async function prepareAll(url: string): Promise<void> {
  const databases = openDatabases(url)
  await createApp(optionsOf({ databases, accounts: [stripeAccount()] })).prepare()
  await closeDatabases(databases)
}

export type Databases = AppOptions['seams']['databases']

export type AppSettings = {
  readonly url?: string
  readonly databases?: Partial<Databases>
  readonly accounts?: readonly GatewayAccount[]
  readonly clock?: Clock
  readonly fetch?: HttpFetch
  readonly scorer?: RiskScorer
  readonly process?: string
  readonly webhooks?: AppOptions['webhooks']
  readonly ledger?: AppOptions['ledger']
  readonly erasures?: AppOptions['erasures']
  /** The caller's to close, after the app has stopped. */
  readonly spool?: Spool
}

export type PaymentAsked = { key: string; tenant?: string; mode?: Mode } & Partial<PaymentFields>
type PaymentFields = Parameters<App['acceptPayment']>[0]['body']

export type AppUnderTest = {
  readonly app: App
  readonly url: string
  readonly databases: Databases
  /** All that its loops have told so far, but what they handled. */
  readonly reports: readonly LoopReport[]
  webhook(event: StripeEvent, about?: { account?: string; secret?: string }): Promise<{ eventId: string }>
  pay(asked: PaymentAsked): Promise<AcceptOutcome>
  /** Starts the loops. Safe to repeat. */
  start(): Promise<RunningApp>
  stop(): Promise<void>
  /** Takes it for dead, as one whose database was killed under it: nothing of it is waited for any more. */
  abandon(): void
  rows<Row extends Record<string, unknown>>(text: string, values?: readonly SqlValue[]): Promise<Row[]>
  /** Waits until there is nothing left to do: all read, all due timers fired, all deliveries made. */
  settle(limitMs?: number): Promise<void>
}

/**
 * The application as `npm start` assembles it, without its HTTP edge, on a database of its own or on the one named.
 * Several on one database are several processes to it.
 */
export async function openApp(t: Ending, settings: AppSettings = {}): Promise<AppUnderTest> {
  const url = settings.url ?? (await createAppDatabase(t)).url
  const own = openDatabases(url)
  const databases = { ...own, ...settings.databases }
  const net = systemFetch(systemClock)
  const reports: LoopReport[] = []
  const app = createApp(
    optionsOf({ fetch: net.fetch, ...settings, databases, report: (report) => void keep(reports, report) }),
  )
  await app.prepare()
  let running: ReturnType<App['start']> | undefined
  const stop = async (): Promise<void> => {
    const before = running
    running = undefined
    await (await before)?.stop()
  }
  let isAbandoned = false
  t.after(async () => {
    if (!isAbandoned) {
      await stop()
      await app.door.close()
    }
    await net.close()
    await closeDatabases(own)
  })
  return {
    app,
    url,
    databases,
    reports,
    webhook: (event, { account = 'acme', secret = webhookSecret } = {}) => {
      const { gateway = 'stripe' } = settings.accounts?.find(({ name }) => name === account) ?? {}
      return sendWebhook(app, event, { gateway, account, secret })
    },
    pay: (asked) => pay(app, asked),
    async start() {
      running ??= app.start()
      return running
    },
    stop,
    abandon() {
      isAbandoned = true
    },
    rows: (text, values) => rowsOf(own.read, text, values),
    settle: (limitMs) => settle(own.read, limitMs),
  }
}

export function rowsOf<Row extends Record<string, unknown>>(
  database: Database,
  text: string,
  values: readonly SqlValue[] = [],
): Promise<Row[]> {
  return database.query<Row>(
    statement(`test.${createHash('sha256').update(text).digest('hex').slice(0, 20)}`, text),
    values,
  )
}

type Addressed = { readonly gateway: string; readonly account: string; readonly secret: string }

/** Signed now, as Stripe does. */
function sendWebhook(
  app: App,
  event: StripeEvent,
  { gateway, account, secret }: Addressed,
): Promise<{ eventId: string }> {
  const body = Buffer.from(JSON.stringify(event))
  const signature = sign(body, secret, Math.floor(systemClock.now() / 1000))
  return app.acceptWebhook({ gateway, account, body, signature, traceparent })
}

function pay(app: App, { key, tenant = 'main', mode = 'test', ...fields }: PaymentAsked): Promise<AcceptOutcome> {
  const body = { amount: 1000, currency: 'EUR', merchant: 'mer_acme', payment_method: 'pm_sim_approve', ...fields }
  return app.acceptPayment({ tenant: brandId(tenant), mode, idempotencyKey: key, traceparent, body })
}

const UNREAD = `select coalesce(sum(h.next_offset - k.next_offset), 0)::int as n
  from log.checkpoint k join log.partition h on h.topic = k.topic and h.partition = k.partition`
const OPEN = `select (${UNREAD})
  + (select count(*)::int from log.timer where due_at <= log.now() and fired_at is null)
  + (select count(*)::int from delivery.delivery where state = 'pending') as n`

async function settle(database: Database, limitMs = 30_000): Promise<void> {
  const isSettled = async (): Promise<boolean> => (await rowsOf<{ n: number }>(database, OPEN))[0]?.n === 0
  await until('nothing is left to do', isSettled, limitMs)
}

export function openDatabases(url: string): Databases {
  return { door: open(url, 'door', 4), work: open(url, 'work', 12), read: open(url, 'read', 4) }
}

export async function closeDatabases({ door, work, read }: Databases): Promise<void> {
  await Promise.all([door.close(), work.close(), read.close()])
}

function open(url: string, applicationName: string, connectionsMax: number): Database {
  return openDatabase({ url, applicationName, connectionsMax })
}

function keep(reports: LoopReport[], report: LoopReport): void {
  if (report.kind !== 'handled') reports.push(report)
}

let processes = 0

type Given = Omit<AppSettings, 'databases'> & { databases: Databases; report?: AppOptions['report'] }

function optionsOf({
  databases,
  accounts,
  clock = systemClock,
  fetch,
  scorer,
  process: name,
  webhooks,
  ledger,
  erasures,
  spool,
  report,
}: Given): AppOptions {
  const unreachable: HttpFetch = () => Promise.reject(new Error('nothing is called here'))
  return {
    seams: { clock, random: systemRandom, fetch: fetch ?? unreachable, databases },
    masterKey,
    accounts: accounts ?? [stripeAccount()],
    risk: { perCustomerAMinute: 1_000_000, perMerchantAMinute: 1_000_000, amountMax: 1_000_000_000_000 },
    ...(scorer ? { scorer } : {}),
    ...(webhooks ? { webhooks } : {}),
    ...(ledger ? { ledger } : {}),
    ...(erasures ? { erasures } : {}),
    ...(spool ? { spool } : {}),
    process: name ?? `process_${process.pid}_${++processes}`,
    report: report ?? (() => {}),
  }
}
