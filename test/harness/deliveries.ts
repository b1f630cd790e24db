import { type Destination, deliveryGroup, enqueue, startDeliverer } from '#delivery'
import { type Database, statement } from '#kernel/database'
import { brandId } from '#kernel/ids'
import { seededRandom } from '#kernel/random'
import { createWakeups, type NewDelivery, registerLog, startLog, type Wakeups } from '#log'
import type { Ending } from '../../src/log/conformance/engine.ts'
import { toyModule } from '../../src/log/conformance/toy.ts'
import { createPuppet, type Puppet } from './faults.ts'
import { createLogDatabase } from './log.ts'

export const DESTINATION = 'out'

export type Outside = {
  readonly database: Database
  /** Enqueues as a consumer does, in a transaction, and tells the deliverers. */
  enqueue(deliveries: readonly NewDelivery[]): Promise<void>
  start(name: string, destination: Destination): Promise<DeliveringProcess>
  stepClock(byMs: number): void
  /** Every attempt that is recorded, by delivery, in order. */
  attempts(): Promise<readonly { id: string; attempt: number; kind: string; outcome: string; reason: string | null }[]>
  /** How many deliveries are in a state. */
  count(state: 'pending' | 'done' | 'held'): Promise<number>
  /** Deliveries that wait though nothing of their key is at the head: nobody would ever look at them. */
  stranded(): Promise<number>
}

export type DeliveringProcess = Puppet & { readonly faults: readonly string[]; stop(): Promise<void> }

/** A database with deliveries, and processes that deliver to one destination. */
export async function openDeliveries(t: Ending): Promise<Outside> {
  const { url } = await createLogDatabase(t)
  let offsetMs = 0
  const outside = createPuppet({ url, name: 'outside', offsetMs: () => offsetMs })
  const running = new Set<DeliveringProcess>()
  const bells: Wakeups[] = []
  t.after(async () => {
    await Promise.all([...running].map((process) => process.stop()))
    await outside.close()
  })
  const { database } = outside
  return {
    database,
    async enqueue(deliveries) {
      await database.transaction({}, (tx) => enqueue(tx, deliveries))
      for (const bell of bells) bell.wake([deliveryGroup(DESTINATION)])
    },
    async start(name, destination) {
      const puppet = createPuppet({ url, name, offsetMs: () => offsetMs })
      const wakeups = createWakeups()
      bells.push(wakeups)
      const { faults, stop } = await startDelivering(puppet, name, destination, wakeups)
      const process = {
        ...puppet,
        faults,
        async stop() {
          if (puppet.isDead() || !running.delete(process)) return
          await stop()
          await puppet.close()
        },
        async kill() {
          await puppet.kill()
          await database.query(EXPIRE, [name])
        },
      }
      running.add(process)
      return process
    },
    stepClock: (byMs) => {
      offsetMs += byMs
    },
    attempts: () => database.query(ATTEMPTS),
    async count(state) {
      return (await database.query(STATE, [state])).length
    },
    async stranded() {
      return (await database.query(STRANDED)).length
    },
  }
}

const EXPIRE = statement('test.expire', `update log.lease set expires_at = '-infinity' where owner = $1`)
const ATTEMPTS = statement(
  'test.attempts',
  'select delivery_id as id, attempt, kind, outcome, reason from delivery.attempt order by delivery_id, attempt',
)
const STATE = statement('test.state', 'select from delivery.delivery where state = $1')
const STRANDED = statement(
  'test.stranded',
  `select from delivery.delivery d where d.state = 'pending'
   and not exists (select from delivery.head h where h.destination = d.destination and h.key = d.key)`,
)

async function startDelivering(puppet: Puppet, name: string, destination: Destination, wakeups: Wakeups) {
  const { database, clock } = puppet
  const faults: string[] = []
  const soloGroups = [deliveryGroup(destination.name)]
  const report = (report: { kind: string; error?: string }): void => {
    if (report.kind === 'fault') faults.push(report.error ?? '')
  }
  const shared = { database, clock, random: seededRandom(1), wakeups, report }
  await registerLog(database, [toyModule()], soloGroups)
  const log = await startLog({ ...shared, modules: [], process: name, soloGroups, enqueue })
  const deliverer = startDeliverer(destination, { ...shared, leases: log.leases })
  return {
    faults,
    async stop() {
      await deliverer.stop()
      await log.stop()
    },
  }
}

export function delivery(id: string, key: string, about: Partial<NewDelivery> = {}): NewDelivery {
  return {
    id,
    destination: DESTINATION,
    key,
    payload: { id },
    notAfter: null,
    cause: {
      id: `evt_${id}`,
      tenant: brandId('tenant_a'),
      mode: 'test',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      correlationId: `evt_${id}`,
    },
    ...about,
  }
}
