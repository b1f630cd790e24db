import { brandId, type TenantId } from '#kernel/ids'
import { masterKeyOf } from '#kernel/master-key'
import type { NewEvent } from '#log'
import { openSpool, type Spool } from '#spool'
import { type App, createApp } from '../../src/app.ts'
import { asked, type Poison, probeDestinations, probeModule } from './probe/module.ts'
import type { Seams } from './process.ts'

export type { App } from '../../src/app.ts'

export const ACCOUNT = {
  name: 'sim',
  gateway: 'simulated',
  tenant: 'acme',
  mode: 'test',
  merchant: 'mer_gateway',
  webhookSecrets: ['whsec_simulation'],
  url: 'http://gateway.test',
  apiKey: 'sim_key',
} as const

const MASTER_KEY = masterKeyOf(Buffer.alloc(32, 7))

/** All that is needed where nothing is spooled. */
type DatabaseSeams = Omit<Seams, 'openFiles'>

/** Above this the risk rules refuse a payment. */
export const AMOUNT_MAX = 1_000_000

export type JobRequest = {
  readonly job: string
  readonly key: string
  readonly kind: string
  readonly account: string
  readonly amount: number
}

export type System = Pick<App, 'acceptPayment' | 'acceptOperation' | 'acceptWebhook'> & {
  ask(job: JobRequest): Promise<void>
  stop(): Promise<void>
}

export type Parking = { readonly group: string; readonly key: string }

/** How a schedule's processes are set up, all alike. */
export type Setting = {
  readonly poison: Poison
  /** Messages of an endpoint that may be open: with few it falls behind, and catches up. */
  readonly backlogMax: number
  parked(parking: Parking): void
}

/** The product as `src/app.ts` joins it, with the probe as a user's own module would be. Its schemas are in place. */
export function createSystem(seams: DatabaseSeams, { poison, backlogMax, parked }: Setting, spool?: Spool): App {
  const { database, clock, random, fetch, name } = seams
  const app = createApp({
    seams: { clock, random, fetch, databases: { door: database, work: database, read: database } },
    masterKey: MASTER_KEY,
    ...(spool ? { spool } : {}),
    accounts: [ACCOUNT],
    risk: { perCustomerAMinute: 1_000_000, perMerchantAMinute: 1_000_000, amountMax: AMOUNT_MAX },
    process: name,
    webhooks: { fetch, backlogMax },
    report: (report) => {
      if (report.kind === 'parked') parked(report)
    },
  })
  app.modules.push(probeModule(poison))
  app.destinations.push(...probeDestinations(fetch))
  return app
}

export async function startSystem(seams: Seams, setting: Setting): Promise<System> {
  const spool = await openSpool({
    ...seams.openFiles(),
    process: seams.name,
    masterKey: MASTER_KEY,
    random: seams.random,
    clock: seams.clock,
    isFull: async () => false,
    report: () => {},
  })
  const app = createSystem(seams, setting, spool)
  const running = await app.start()
  return {
    acceptPayment: app.acceptPayment,
    acceptOperation: app.acceptOperation,
    acceptWebhook: app.acceptWebhook,
    ask: (job) => app.door.append([eventOf(job)]),
    stop: async () => {
      await running.stop()
      await spool.close()
    },
  }
}

/** Makes an endpoint, as its owner would. */
export function createEndpoint(app: App, url: string, events: readonly string[]) {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b6-01'
  return app.endpoints.create({ tenant: ACCOUNT.tenant, mode: ACCOUNT.mode }, { url, events }, { traceparent })
}

function eventOf({ key, job, kind, account, amount }: JobRequest): NewEvent {
  const id = `evt_${job}`
  const data = { job, kind, account, amount }
  const tenant = brandId<TenantId>(ACCOUNT.tenant)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  return { id, of: asked, key, tenant, mode: 'test', traceparent, causationId: null, correlationId: id, data }
}
