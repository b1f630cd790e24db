import type { TestContext } from 'node:test'
import { Type } from 'typebox'
import { brandId, type TenantId } from '#kernel/ids'
import { seededRandom } from '#kernel/random'
import {
  createDoor,
  createWakeups,
  decider,
  type EventOf,
  eventType,
  follow,
  type Module,
  registerLog,
  startLog,
} from '#log'
import { type AppUnderTest, openApp, traceparent } from './app.ts'
import { createPuppet, type FaultKind, type Puppet } from './faults.ts'
import { migrateAll } from './log.ts'
import { until } from './until.ts'

export const whose = { tenant: 'main', mode: 'test' } as const
export const cause = { traceparent }

type Port = ReturnType<AppUnderTest['app']['ledger']['reservations']>

/** An application whose ledger has a budget in it, and the port of a module that spends it. */
export async function openBudget(t: TestContext, amount: bigint): Promise<{ app: AppUnderTest; port: Port }> {
  const app = await openApp(t)
  const { accounts, desk, reservations } = app.app.ledger
  await accounts.open(whose, { account: 'cash', type: 'asset' }, cause)
  await accounts.open(whose, { account: 'budget', type: 'liability', floor: 0n }, cause)
  const transfers = [{ debit: 'cash', credit: 'budget', amount, currency: 'EUR' }]
  const about = { purpose: 'topup', postings: [], transfers, conditions: [], effectiveAt: 1_700_000_000_000 }
  const command = { kind: 'entry', id: 'in', fingerprint: 'in', ...about } as const
  await desk.submit({ ...whose, ...cause, commands: [command], isLinked: false })
  return { app, port: reservations('toy') }
}

export function ofBudget(key: string, amount: bigint) {
  const transfer = { debit: 'budget', credit: 'cash', amount, currency: 'EUR' }
  return { ...whose, cause, key, purpose: 'spending', ...transfer, expiresAt: Date.now() + 60_000 }
}

/** What the ledger has of the budget, on its own account. */
export async function budgetLeft({ rows }: AppUnderTest): Promise<{ posted: string; held: string } | undefined> {
  const [row] = await rows<{ posted: string; held: string }>(
    "select posted::text, (held_debit + held_credit)::text as held from ledger.guard where account = 'budget'",
  )
  return row
}

const asked = eventType({ type: 'toy.asked', topic: 'toy.inbox', schema: Type.Object({ job: Type.String() }) })
const decided = eventType({
  type: 'toy.decided',
  topic: 'toy',
  schema: Type.Object({ job: Type.String(), outcome: Type.String() }),
})

/** What each job costs; twice as much is reserved for it. */
export const COST = 3n

/** A module that spends from the budget, as one of the platform's own would. `passed` is told after each call. */
function spender(port: Port, passed: (call: 'reserve' | 'post') => void): Module {
  const spend = async (event: EventOf<typeof asked>) => {
    const { tenant, mode, data } = event
    const about = { tenant, mode, key: data.job, cause: event }
    const reserved = await port.reserve({ ...ofBudget(data.job, 2n * COST), ...about })
    passed('reserve')
    const outcome = reserved.status === 'done' ? await port.post({ ...about, amount: COST }) : reserved
    passed('post')
    return follow(event, decided, { job: data.job, outcome: outcome.status })
  }
  return {
    name: 'toy',
    summary: 'Spends what it is asked to, if there is enough.',
    events: [asked, decided],
    accepts: [asked],
    deciders: [
      decider({
        name: 'spend',
        reads: [asked],
        publishes: [decided],
        handle: async (events) => ({ facts: await Promise.all(events.map(spend)) }),
      }),
    ],
  }
}

export type SpenderFault = { readonly kind: FaultKind } & (
  | { readonly at: number }
  | { readonly after: 'reserve' | 'post' }
)

/** Processes of the module, one after the other, on the application's database. */
export async function openSpenders(t: TestContext, app: AppUnderTest, port: Port) {
  await migrateAll(app.url)
  await registerLog(app.databases.work, [spender(port, () => {})], [])
  const door = createDoor(app.databases.door, createWakeups())
  t.after(() => door.close())
  const outcomeOf = async (job: string): Promise<string | undefined> => {
    const [row] = await app.rows<{ outcome: string }>(
      `select data ->> 'outcome' as outcome from log.event where type = 'toy.decided' and key = $1`,
      [job],
    )
    return row?.outcome
  }
  const start = async (name: string, passed: (puppet: Puppet, call: 'reserve' | 'post') => void) => {
    const puppet = createPuppet({ url: app.url, name })
    const { database, clock } = puppet
    const modules = [spender(port, (call) => passed(puppet, call))]
    const shared = { clock, random: seededRandom(1), wakeups: createWakeups(), soloGroups: [], enqueue: async () => {} }
    const log = await startLog({ ...shared, database, modules, process: name, report: () => {} })
    const stop = async (): Promise<void> => {
      if (puppet.isDead()) return puppet.kill()
      await log.stop()
      await puppet.close()
    }
    return { puppet, stop }
  }

  return {
    outcomeOf,
    /** Has the job done by a process that the fault meets, and by another if it has to be. Returns whether it was met. */
    async interrupted(job: string, fault: SpenderFault): Promise<boolean> {
      let isMet = false
      const doomed = await start(`doomed ${job}`, (puppet, call) => {
        if (isMet || !('after' in fault) || fault.after !== call) return
        isMet = true
        puppet.arm({ at: 1, kind: fault.kind })
      })
      const { puppet } = doomed
      const before = puppet.points()
      if ('at' in fault) puppet.arm(fault)
      const about = { tenant: brandId<TenantId>('main'), mode: 'test', traceparent } as const
      const id = `evt_${job}`
      await door.append([{ id, of: asked, key: job, ...about, causationId: null, correlationId: id, data: { job } }])
      await until('it is decided, or dead', async () => puppet.isDead() || (await outcomeOf(job)) !== undefined)
      if ('at' in fault) isMet = puppet.isDead() || puppet.points() - before >= fault.at
      // Its end has statements too: one that died in them would never have stopped.
      puppet.arm({ at: Number.POSITIVE_INFINITY, kind: fault.kind })
      await doomed.stop()
      const heir = await start(`heir of ${job}`, () => {})
      await until('it is decided', async () => (await outcomeOf(job)) !== undefined)
      await heir.stop()
      return isMet
    },
  }
}
