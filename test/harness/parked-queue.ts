import assert from 'node:assert/strict'
import { systemClock } from '#kernel/clock'
import { type Database, statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import { createWakeups, operations, registerLog } from '#log'
import { appendRows, encode } from '../../src/log/codec.ts'
import { ANSWER, ask, toyModule } from '../../src/log/conformance/toy.ts'
import { createLeaseKeeper, type LeaseKeeper } from '../../src/log/lease.ts'
import { retryParked } from '../../src/log/parked.ts'
import { type Act, createRedrive } from '../../src/log/redrive.ts'
import { consumersOf } from '../../src/log/runtime.ts'
import * as sql from '../../src/log/sql.ts'
import { type Consumer, PoisonEvent, parkHead, step } from '../../src/log/step.ts'
import { createLogDatabase } from './log.ts'

// The queues of parked keys of one decider, with every turn of its loop taken by the test.

export const modules = [operations, toyModule()]
export const act: Act = { by: 'os:ada', reason: 'the test asks for it', isDryRun: false }

const SEEN = statement(
  'test.redrive_seen',
  `select (event -> 'data' ->> 'n')::int as n from toy.seen where grp = $1 and event ->> 'key' = $2 order by sequence`,
)
const PARKED = statement(
  'test.redrive_parked',
  `select (event -> 'data' ->> 'n')::int as n, event ->> 'id' as id, attempts from log.parked where grp = $1 and key = $2 order by sequence`,
)
const KEYS = statement('test.redrive_keys', 'select key from log.parked_key where grp = $1 and key = $2')
const FACTS = statement(
  'test.redrive_facts',
  `select type, data from log.event where topic = 'log' and key = $1 order by position, "offset"`,
)

type Ending = { after(work: () => Promise<void>): void }

export async function openQueue(t: Ending) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 8, applicationName: 'one' })
  t.after(() => database.close())
  await registerLog(database, modules, [])
  const consumer = modules.flatMap(consumersOf).find(({ group }) => group === ANSWER)
  assert.ok(consumer)
  const redrive = createRedrive(database, seededRandom(1), modules)
  return {
    url,
    database,
    redrive,
    async join(name: string): Promise<Turns> {
      const keeper = createLeaseKeeper(database, name, [ANSWER], createWakeups())
      await keeper.tick()
      return turnsOf(consumer, keeper, database)
    },
    append: (key: string, n: number, isPoison: boolean): Promise<void> =>
      database.transaction({}, async (tx) => {
        await sql.append(tx, appendRows([encode(ask(key, isPoison ? { n, say: 'poison' } : { n }))]))
      }),
    seen: async (key: string) => (await database.query<{ n: number }>(SEEN, [ANSWER, key])).map(({ n }) => n),
    parked: (key: string) => database.query<{ n: number; id: string; attempts: number }>(PARKED, [ANSWER, key]),
    isParked: async (key: string) => (await database.query(KEYS, [ANSWER, key])).length > 0,
    facts: (key: string) => database.query<{ type: string; data: Record<string, unknown> }>(FACTS, [key]),
  }
}

export type Queue = Awaited<ReturnType<typeof openQueue>>
export type Turns = {
  take(batch: number): Promise<void>
  retry(): Promise<void>
  tick(): Promise<void>
  leaves(): Promise<void>
}

/** A process's loop, a turn at a time; poison is cornered as the loop does it. */
function turnsOf(consumer: Consumer, leases: LeaseKeeper, database: Database): Turns {
  const context = { database, clock: systemClock, enqueue: async () => {}, leases, wakeups: createWakeups() }
  const take = async (total: number): Promise<void> => {
    const held = leases.of(consumer.group)
    for (let batch = total; ; ) {
      try {
        const { events } = await step(consumer, held, { perPartition: batch, total: batch, bytes: 1 << 20 }, context)
        if (events === 0) return
        batch = total
      } catch (error) {
        if (!(error instanceof PoisonEvent)) throw error
        if (error.rows.length === 1) await parkHead(consumer, held, { rows: error.rows, error: 'poison' }, context)
        batch = 1
      }
    }
  }
  // A loop does one thing at a time.
  let last: Promise<void> = Promise.resolve()
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work)
    return last
  }
  return {
    take: (total) => inTurn(() => take(total)),
    retry: () => inTurn(() => retryParked(consumer, context)),
    tick: () => leases.tick(),
    leaves: () => leases.leave(),
  }
}

/** What makes a poison event one that the toy swallows. */
export const cure = { set: [{ path: '/data/say', value: 'hush' }] }
