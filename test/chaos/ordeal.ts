import { Client } from 'pg'
import { systemClock } from '#kernel/clock'
import type { Client as LoadClient } from './load/client.ts'
import type { Fault, Planned } from './plan.ts'
import { nodeOf, strike, subjectOf, wireOf } from './strike.ts'
import type { World } from './world.ts'

/** What was under way when a fault struck. */
export type InFlight = {
  readonly requests: number
  readonly transactions: number
  /** Calls to gateways and merchants that are decided and not settled, made or waiting. */
  readonly deliveries: number
}

/** A fault that took place. Unix milliseconds. */
export type Struck = {
  readonly fault: Fault
  readonly subject: string
  readonly startedAt: number
  /** When its cause was gone. */
  readonly endedAt: number
  readonly inFlight: InFlight
  /** Whether something was under way at what it struck. */
  readonly isHit: boolean
}

export type Ordeal = {
  /** All that took place; resolves when the last one's cause is gone. */
  readonly over: Promise<readonly Struck[]>
}

const ASKED_WITHIN_MS = 500

/** Lets the plan befall the world. Faults about different things overlap; two about the same follow each other. */
export function startOrdeal(about: {
  readonly plan: readonly Planned[]
  readonly world: World
  readonly client: LoadClient
  readonly tell: (struck: Struck) => void
}): Ordeal {
  const { plan, world, client, tell } = about
  const startedMs = systemClock.monotonicMs()
  const busy = new Map<string, Promise<unknown>>()

  const befall = async ({ fault }: Planned, before: Promise<unknown> | undefined): Promise<Struck> => {
    await before
    const [inFlight, isHit] = await lookAt(fault, world, client)
    const startedAt = systemClock.now()
    await strike(fault, world)
    const struck = { fault, subject: subjectOf(fault), startedAt, endedAt: systemClock.now(), inFlight, isHit }
    tell(struck)
    return struck
  }
  const run = async (): Promise<readonly Struck[]> => {
    const struck: Promise<Struck>[] = []
    for (const planned of plan) {
      await systemClock.sleep(Math.max(0, planned.atMs - (systemClock.monotonicMs() - startedMs)))
      const subject = subjectOf(planned.fault)
      const one = befall(planned, busy.get(subject))
      busy.set(
        subject,
        one.catch(() => {}),
      )
      struck.push(one)
    }
    return Promise.all(struck)
  }
  return { over: run() }
}

async function lookAt(fault: Fault, world: World, client: LoadClient): Promise<[InFlight, boolean]> {
  const requests = world.nodes.reduce((sum, _, process) => sum + client.underWay(process), 0)
  const { transactions, toGateway, toReceivers } = await askDatabase(world.server.url)
  const inFlight = { requests, transactions, deliveries: toGateway + toReceivers }
  return [inFlight, isHit(fault, world, client, { transactions, toGateway, toReceivers })]
}

/** Whether something was under way at the very thing that is struck. */
function isHit(fault: Fault, world: World, client: LoadClient, asked: AskedDatabase): boolean {
  switch (fault.kind) {
    case 'PostgreSQL killed':
    case 'PostgreSQL stopped':
    case 'slow disk':
      return asked.transactions > 0
    case 'gateway stopped':
      return asked.toGateway > 0
    case 'receivers down':
      return asked.toReceivers > 0
    case 'network cut':
    case 'network stalled':
    case 'network slow':
    case 'answers lost':
      if (fault.hop === 'receivers') return asked.toReceivers > 0
      return wireOf(world, fault.hop, fault.process).underWay() > 0
    default: {
      const { database, gateway } = nodeOf(world, fault.process)
      return client.underWay(fault.process) + database.underWay() + gateway.underWay() > 0
    }
  }
}

type AskedDatabase = { readonly transactions: number; readonly toGateway: number; readonly toReceivers: number }

const UNDER_WAY = `select
  (select count(*)::int from pg_stat_activity
   where backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()) as transactions,
  (select count(*)::int from delivery.head where destination like 'gateway:%') as "toGateway",
  (select count(*)::int from delivery.head where destination like 'webhooks/%') as "toReceivers"`

/** Nothing is under way where the database does not answer at once, as while it is dead or stopped. */
async function askDatabase(url: string): Promise<AskedDatabase> {
  const limits = { connectionTimeoutMillis: ASKED_WITHIN_MS, query_timeout: ASKED_WITHIN_MS }
  const client = new Client({ connectionString: url, ...limits })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<AskedDatabase>(UNDER_WAY)
    return rows[0] ?? nothing
  } catch {
    return nothing
  } finally {
    void client.end().catch(() => {})
  }
}

const nothing: AskedDatabase = { transactions: 0, toGateway: 0, toReceivers: 0 }
