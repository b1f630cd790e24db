import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import { createLogDatabase } from '#harness/log'
import { statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { append, remember } from './append.ts'
import { encode } from './codec.ts'
import { ask, asked, hinted, toyModule } from './conformance/toy.ts'
import type { NewEvent } from './event.ts'
import { createLeaseKeeper } from './lease.ts'
import { registerLog } from './runtime.ts'
import * as sql from './sql.ts'
import { createTail } from './tail.ts'
import { takeNext } from './take.ts'
import { createWakeups } from './wakeup.ts'

const TOPICS = ['toy.hints', 'toy.inbox']
/** Alike but for what they know: the first reads the table, and the others what they have in memory. */
const GROUPS = ['test.plain', 'test.one', 'test.other'] as const
type Group = (typeof GROUPS)[number]

/** Topics that are read together, and readers of them whose every batch the test asks for. */
async function openReaders(t: TestContext) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 3, applicationName: 'test' })
  t.after(() => database.close())
  await registerLog(database, [toyModule()], [])
  for (const name of GROUPS) {
    await sql.registerGroup(database, { name, topics: TOPICS, partitions: 8, from: 'beginning' })
  }
  const keeper = createLeaseKeeper(database, 'test', GROUPS, createWakeups())
  await keeper.tick()
  const tail = createTail({ eventsMax: 20 })
  tail.serve(
    GROUPS.slice(1).map((group) => ({ group, topics: TOPICS })),
    keeper,
  )
  const read = new Map<Group, Map<number, unknown[]>>(GROUPS.map((group) => [group, new Map()]))
  /** Rows that came out of the table. */
  const fetched = { rows: 0 }
  return {
    database,
    fetched,
    read: (group: Group) => read.get(group) ?? new Map<number, unknown[]>(),
    /** As a process does that remembers, or as another one. */
    async say(events: readonly NewEvent[], isOurs: boolean): Promise<void> {
      const encoded = events.map((event) => encode(event))
      const appended = await database.transaction({}, (tx) => append(tx, encoded))
      if (isOurs) remember(tail, appended, events)
    },
    async turn(group: Group, bounds: { perPartition: number; total: number; bytes: number }): Promise<number> {
      const known = group === 'test.plain' ? undefined : tail
      const wanted = { group, leases: keeper.of(group), topics: TOPICS, types: [asked.type, hinted.type], ...bounds }
      const { taken, progress } = await database.transaction({}, async (tx) => {
        const taken = await takeNext(tx, wanted, known)
        const progress = taken.rows.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          nextOffset: offset + 1n,
        }))
        await sql.advance(tx, group, lastOf(progress))
        return { taken, progress }
      })
      fetched.rows += taken.read.length
      for (const row of taken.rows) {
        const rows = read.get(group)?.get(row.partition) ?? []
        read.get(group)?.set(row.partition, [...rows, row])
      }
      known?.add(taken.read)
      known?.passed(group, lastOf(progress))
      return taken.rows.length
    },
  }
}

function lastOf(progress: readonly sql.Progress[]): sql.Progress[] {
  return [...new Map(progress.map((one) => [`${one.topic}/${one.partition}`, one])).values()]
}

let count = 0
const said = (key: number, isHint: boolean, length: number): NewEvent =>
  ask(`key_${key}`, { n: ++count, ...(length > 0 ? { text: 'x'.repeat(length) } : {}) }, isHint ? hinted : asked)

const saying = fc.record({
  act: fc.constant('say' as const),
  isOurs: fc.boolean(),
  events: fc.array(fc.tuple(fc.nat(4), fc.boolean(), fc.constantFrom(0, 0, 700)), { minLength: 1, maxLength: 8 }),
})
const reading = fc.record({
  act: fc.constant('read' as const),
  group: fc.constantFrom(...GROUPS),
  bounds: fc.record({
    perPartition: fc.integer({ min: 1, max: 8 }),
    total: fc.integer({ min: 1, max: 20 }),
    bytes: fc.constantFrom(800, 2_000, 1 << 20),
  }),
})

test('whatever is in memory and whoever appended it, a group is handed what the table would give, in that order', async (t) => {
  const readers = await openReaders(t)
  const property = fc.asyncProperty(fc.array(fc.oneof(saying, reading), { maxLength: 25 }), async (acts) => {
    for (const one of acts) {
      if (one.act === 'read') await readers.turn(one.group, one.bounds)
      else {
        const events = one.events.map(([key, isHint, length]) => said(key, isHint, length))
        await readers.say(events, one.isOurs)
      }
    }
    for (const group of GROUPS) while ((await readers.turn(group, BOUNDS)) > 0);
    const [plain, one, other] = GROUPS.map((group) => readers.read(group))
    assert.deepEqual(one, plain)
    assert.deepEqual(other, plain)
    for (const group of GROUPS) readers.read(group).clear()
  })
  await fc.assert(property, { numRuns: 100 })
})

const BOUNDS = { perPartition: 64, total: 512, bytes: 1 << 20 }

test('what this process appended is not read back, and what another one did is read once', async (t) => {
  const { say, turn, read, fetched } = await openReaders(t)
  const some = () => [said(1, false, 0), said(1, true, 0), said(2, false, 0)]
  const turns = async () => [await turn('test.one', BOUNDS), await turn('test.other', BOUNDS)]
  await say(some(), true)
  // Only from here on is it known how far both groups are.
  await turns()
  fetched.rows = 0
  await say(some(), true)
  await say([said(1, false, 0)], true)
  assert.deepEqual([...(await turns()), fetched.rows], [4, 4, 0])
  await say([said(1, false, 0)], false)
  await say([said(1, false, 0)], true)
  // Ours comes after a gap: whoever fills it reads on from there, and the other group neither.
  assert.deepEqual([...(await turns()), fetched.rows], [2, 2, 2])
  await turn('test.plain', BOUNDS)
  assert.deepEqual(read('test.one'), read('test.plain'))
})

const PARK = statement('test.park', `insert into log.parked_key values ('test.one', $1, $2, log.now())`)

test('a successor of what is parked is told as such, whether it is held or not', async (t) => {
  const { say, turn, read, database } = await openReaders(t)
  const events = [said(1, false, 0), said(2, false, 0)]
  await say(events, true)
  await database.query(PARK, ['key_1', 0])
  const parked = (group: Group) =>
    Object.fromEntries(([...read(group).values()].flat() as sql.EventRow[]).map((row) => [row.key, row.is_parked]))
  for (const group of GROUPS.slice(1)) await turn(group, BOUNDS)
  assert.deepEqual(parked('test.one'), { key_1: true, key_2: false })
  // What one group was told of a key, another that shares its events is not.
  await say([said(1, false, 0), said(2, false, 0)], false)
  for (const group of GROUPS.slice(1)) await turn(group, BOUNDS)
  assert.deepEqual(
    [parked('test.one'), parked('test.other')],
    [
      { key_1: true, key_2: false },
      { key_1: false, key_2: false },
    ],
  )
})
