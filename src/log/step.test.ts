import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { createLogDatabase } from '#harness/log'
import { systemClock } from '#kernel/clock'
import { statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { appendRows, encode } from './codec.ts'
import { ANSWER, ask, rang, toyModule } from './conformance/toy.ts'
import type { NewEvent } from './event.ts'
import { createLeaseKeeper } from './lease.ts'
import { partitionOf } from './partitioner.ts'
import { consumersOf, registerLog } from './runtime.ts'
import * as sql from './sql.ts'
import { type StepResult, step } from './step.ts'
import { fireDue, TIMERS_GROUP } from './timers.ts'
import { createWakeups } from './wakeup.ts'

const bounds = { perPartition: 64, total: 512, bytes: 1 << 20 }
const SEEN = statement(
  'test.seen_by_answer',
  `select event ->> 'key' as key, event ->> 'type' as type, (event -> 'data' ->> 'n')::int as n
   from toy.seen where grp = $1 order by sequence`,
)
type Seen = { key: string; type: string; n: number }

/** A decider whose every batch and firing is asked for by the test: what lies unread is one batch. */
async function decider(t: TestContext) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'one' })
  t.after(() => database.close())
  const modules = [toyModule()]
  const consumer = modules.flatMap(consumersOf).find(({ group }) => group === ANSWER)
  assert.ok(consumer)
  await registerLog(database, modules, [])
  const keeper = createLeaseKeeper(database, 'one', [ANSWER, TIMERS_GROUP], createWakeups())
  await keeper.tick()
  return {
    append: (events: NewEvent[]): Promise<void> =>
      database.transaction({}, async (tx) => {
        await sql.append(tx, appendRows(events.map((event) => encode(event))))
      }),
    /** How many timers were due. */
    fire: async (): Promise<number> => (await fireDue({ database, leases: keeper })).fired,
    step: (): Promise<StepResult> =>
      step(consumer, keeper.of(ANSWER), bounds, { database, clock: systemClock, enqueue: async () => {} }),
    /** What its handler was given, as `key n` for questions and `key rang n` for firings. */
    async seen(): Promise<string[]> {
      const rows = await database.query<Seen>(SEEN, [ANSWER])
      return rows.map(({ key, type, n }) => `${key} ${type === rang.type ? 'rang ' : ''}${n}`)
    },
  }
}

const alarm = (key: string, n: number, at = 0): NewEvent => ask(key, { n, say: 'alarm', at })
const cancel = (key: string, n: number): NewEvent => ask(key, { n, say: 'cancel' })
const inAnHour = (): number => systemClock.now() + 3_600_000

const changes: { story: string; events: NewEvent[]; rings: string[] }[] = [
  { story: 'set, then canceled', events: [alarm('a', 0), cancel('a', 1)], rings: [] },
  { story: 'canceled, then set', events: [cancel('b', 0), alarm('b', 1)], rings: ['b rang 1'] },
  { story: 'set twice', events: [alarm('c', 0), alarm('c', 1)], rings: ['c rang 1'] },
  { story: 'put off', events: [alarm('d', 0), alarm('d', 1, inAnHour())], rings: [] },
  { story: 'to and fro', events: [alarm('e', 0), cancel('e', 1), alarm('e', 2)], rings: ['e rang 2'] },
]

test('of several changes to one timer in a batch the last stands', async (t) => {
  const one = await decider(t)
  // One timer for each story: all changes are one batch, all firings another.
  const events = changes.flatMap((change) => change.events)
  await one.append(events)
  assert.equal((await one.step()).handled, events.length)

  await one.fire()
  await one.step()
  const rings = (await one.seen()).slice(events.length)
  for (const change of changes) {
    const key = change.events[0]?.key ?? ''
    assert.deepEqual(
      rings.filter((ring) => ring.startsWith(key)),
      change.rings,
      change.story,
    )
  }
})

// The timer was due before the cancel was handled: both lie unread, the cancel first. Judged before its batch is
// handled, as all firings are, the firing would still find its timer there.
for (const { story, change, rings } of [
  { story: 'cancels the timer', change: cancel('a', 1), rings: [] },
  { story: 'puts the timer off', change: alarm('a', 1, inAnHour()), rings: [] },
  { story: 'leaves the timer alone', change: ask('a', { n: 1 }), rings: ['a rang 0'] },
]) {
  test(`a firing waits for the batch with an earlier event of its key: one that ${story}`, async (t) => {
    const one = await decider(t)
    await one.append([alarm('a', 0)])
    await one.step()
    await one.append([change])
    assert.equal(await one.fire(), 1)
    await one.append([ask('a', { n: 2 })])

    assert.equal((await one.step()).handled, 1, 'the batch ends before the firing')
    assert.deepEqual(await one.seen(), ['a 0', 'a 1'])
    await one.step()
    assert.deepEqual(await one.seen(), ['a 0', 'a 1', ...rings, 'a 2'])
    assert.equal((await one.step()).events, 0)
  })
}

test('a firing waits for no other key, and not for what comes after it', async (t) => {
  const one = await decider(t)
  const neighbour = neighbourOf('a')
  await one.append([alarm('a', 0)])
  await one.step()
  await one.append([cancel(neighbour, 1)])
  await one.fire()
  await one.append([cancel('a', 2)])

  assert.equal((await one.step()).handled, 3)
  assert.deepEqual(await one.seen(), ['a 0', `${neighbour} 1`, 'a rang 0', 'a 2'])
})

/** Another key of the same partition. */
function neighbourOf(key: string): string {
  for (let n = 0; ; n++) if (partitionOf(`${n}`) === partitionOf(key)) return `${n}`
}
