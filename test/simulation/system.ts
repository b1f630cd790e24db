import { brandId, type TenantId } from '#kernel/ids'
import { masterKeyOf } from '#kernel/master-key'
import type { NewEvent } from '#log'
import { type App, createApp } from '../../src/app.ts'
import { asked, type Poison, probeDestinations, probeModule } from './probe/module.ts'
import type { Seams } from './process.ts'

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

/** Above this the risk rules refuse a payment. */
export const AMOUNT_MAX = 1_000_000

export type JobRequest = {
  readonly job: string
  readonly key: string
  readonly kind: string
  readonly account: string
  readonly amount: number
}

export type System = Pick<App, 'acceptPayment' | 'acceptWebhook'> & {
  ask(job: JobRequest): Promise<void>
  stop(): Promise<void>
}

export type Parking = { readonly group: string; readonly key: string }

/** The product as `src/app.ts` joins it, with the probe as a user's own module would be. Its schemas are in place. */
export function createSystem(seams: Seams, poison: Poison, parked: (parking: Parking) => void): App {
  const { database, clock, random, fetch, name } = seams
  const app = createApp({
    seams: { clock, random, fetch, databases: { door: database, work: database, read: database } },
    masterKey: masterKeyOf(Buffer.alloc(32, 7)),
    accounts: [ACCOUNT],
    risk: { perCustomerAMinute: 1_000_000, perMerchantAMinute: 1_000_000, amountMax: AMOUNT_MAX },
    process: name,
    report: (report) => {
      if (report.kind === 'parked') parked(report)
    },
  })
  app.modules.push(probeModule(poison))
  app.destinations.push(...probeDestinations(fetch))
  return app
}

export async function startSystem(seams: Seams, poison: Poison, parked: (parking: Parking) => void): Promise<System> {
  const app = createSystem(seams, poison, parked)
  const running = await app.start()
  return {
    acceptPayment: app.acceptPayment,
    acceptWebhook: app.acceptWebhook,
    ask: (job) => app.door.append([eventOf(job)]),
    stop: running.stop,
  }
}

function eventOf({ key, job, kind, account, amount }: JobRequest): NewEvent {
  const id = `evt_${job}`
  const data = { job, kind, account, amount }
  const tenant = brandId<TenantId>(ACCOUNT.tenant)
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  return { id, of: asked, key, tenant, mode: 'test', traceparent, causationId: null, correlationId: id, data }
}
