import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Type } from 'typebox'
import { rowsOf } from '#harness/app'
import { createLogDatabase } from '#harness/log'
import { openTestSpool } from '#harness/spool'
import { until } from '#harness/until'
import { type Clock, systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { brandId, type TenantId } from '#kernel/ids'
import { InvariantViolation } from '#kernel/invariant'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import { createDoor, createWakeups, eventType, type LogDoor, type Module, type NewEvent, registerLog } from '#log'
import { createSpoolingDoor, PATIENCE_MS } from './door.ts'

const asked = eventType({ type: 'toy.asked', topic: 'toy.inbox', schema: Type.Object({ n: Type.Integer() }) })
const toy: Module = { name: 'toy', summary: 'Is asked.', events: [asked] }
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

function ask(key: string, data: { n: number }): NewEvent {
  const id = `evt_${key.replace(' ', '_')}_${data.n}`
  const about = { tenant: brandId<TenantId>('main'), mode: 'test', traceparent, causationId: null } as const
  return { id, of: asked, key, ...about, correlationId: id, data }
}

/** What the database does next: work, be away, do it and lose its answer, or say nothing for a while. */
type Mood = 'well' | 'away' | 'answer_lost' | 'silent'

function createMoody(database: Database) {
  let mood: Mood = 'well'
  let spoken = Promise.withResolvers<void>()
  const lost = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  const moody: Database = {
    ...database,
    async transaction(options, work) {
      if (mood === 'silent') await spoken.promise
      if (mood === 'away') throw lost()
      const result = await database.transaction(options, work)
      if (mood === 'answer_lost') throw lost()
      return result
    },
  }
  const isSilent = (): boolean => mood === 'silent'
  const be = (next: Mood): void => {
    spoken.resolve()
    spoken = Promise.withResolvers()
    mood = next
  }
  return { database: moody, be, isSilent }
}

/** Whoever waits for a log that is silent loses patience soon; one that is at work is waited for as ever. */
function impatientWith(isSilent: () => boolean): Clock {
  return {
    ...systemClock,
    async sleep(ms, signal) {
      const endMs = systemClock.monotonicMs() + ms
      const isOver = (): boolean => signal?.aborted === true || isSilent() || systemClock.monotonicMs() >= endMs
      if (ms !== PATIENCE_MS) return systemClock.sleep(ms, signal)
      do await systemClock.sleep(tickMs, signal)
      while (!isOver())
    },
  }
}

const tickMs = 20

async function openLogAndSpool(t: TestContext, wrap: (door: LogDoor) => LogDoor = (door) => door) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 4, applicationName: 'door' })
  await registerLog(database, [toy], [])
  const { spool, reports } = await openTestSpool(t)
  const moody = createMoody(database)
  const failures: unknown[] = []
  const failed = (error: unknown): void => void failures.push(error)
  const logDoor = createDoor(moody.database, createWakeups())
  const door = createSpoolingDoor({ door: wrap(logDoor), spool, clock: impatientWith(moody.isSilent), failed })
  t.after(async () => {
    moody.be('away')
    await door.close()
    await database.close()
  })
  door.startDraining()
  await until('the log is known', () => !door.isSpooling())
  return {
    door,
    spool,
    reports,
    failures,
    be: moody.be,
    onLog: () => onLog(database),
    countOnLog: () => countOnLog(database),
  }
}

/** What is on the log under each key, in order; of repetitions the first. */
async function onLog(database: Database): Promise<Map<string, number[]>> {
  const rows = await rowsOf<{ key: string; n: number }>(
    database,
    `select key, (data->>'n')::int as n from log.event where topic = 'toy.inbox' order by partition, "offset"`,
  )
  const byKey = Map.groupBy(rows, ({ key }) => key)
  return new Map([...byKey].map(([key, own]) => [key, [...new Set(own.map(({ n }) => n))]]))
}

async function countOnLog(database: Database): Promise<number> {
  const [row] = await rowsOf<{ n: number }>(
    database,
    `select count(*)::int as n from log.event where topic = 'toy.inbox'`,
  )
  return row?.n ?? 0
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('whatever the database does, what was answered is on the log, in order for each key', async (t) => {
  const { door, spool, failures, be, onLog } = await openLogAndSpool(t)
  const random = seededRandom(7)
  const moods: readonly Mood[] = ['well', 'well', 'well', 'away', 'answer_lost', 'silent']
  const client = async (key: string): Promise<void> => {
    for (const n of numbers(60)) {
      if (random.unit() < 0.1) be(moods[Math.floor(random.unit() * moods.length)] ?? 'well')
      await door.append([ask(key, { n })])
    }
  }
  const keys = numbers(8).map((n) => `key ${n}`)
  await Promise.all(keys.map(client))
  assert.ok(spool.status().spooled > 0)
  be('well')
  await until('the spool is empty', () => spool.status().events === 0, 20_000)
  const found = await onLog()
  for (const key of keys) assert.deepEqual(found.get(key), numbers(60))
  assert.deepEqual(failures, [])
})

test('a log that is only slow is believed to be away after a while, and what it does later counts once', async (t) => {
  const { door, spool, be, onLog } = await openLogAndSpool(t)
  be('silent')
  await door.append([ask('key', { n: 0 })])
  assert.deepEqual([spool.status().spooled, door.isSpooling()], [1, true])
  await door.append([ask('key', { n: 1 })])
  be('well')
  await until('the spool is empty', () => spool.status().events === 0)
  assert.deepEqual((await onLog()).get('key'), [0, 1])
  await until('the door goes to the log again', () => !door.isSpooling())
  await door.append([ask('key', { n: 2 })])
  assert.deepEqual([spool.status().spooled, (await onLog()).get('key')], [2, [0, 1, 2]])
})

test('what waits for its commit and is given up is not committed beside the spool', async (t) => {
  const { door, spool, be, onLog, countOnLog } = await openLogAndSpool(t)
  be('silent')
  const held = door.append([ask('held', { n: 0 })])
  // Its commit has begun: what comes now waits behind it.
  await new Promise(setImmediate)
  const given = numbers(20).map((n) => door.append([ask(`key ${n}`, { n })]))
  await Promise.all([held, ...given])
  be('well')
  await until('the spool is empty', () => spool.status().events === 0)
  // What was under way when patience ended counts twice on the log; the others went through the spool alone.
  const rows = [...(await onLog())]
  assert.equal(rows.length, 21)
  assert.equal(await countOnLog(), 22)
})

test('what the log refuses for its own doing is set aside, and the rest goes on', async (t) => {
  const refuses = (events: readonly { key: string }[]): boolean => events.some(({ key }) => key === 'poison')
  const { door, spool, reports, be, onLog } = await openLogAndSpool(t, (door) => ({
    ...door,
    commit: async (prepared, givenUp) => {
      if (refuses(prepared.events) && !prepared.source) throw new InvariantViolation('refused')
      await door.commit(prepared, givenUp)
    },
  }))
  be('away')
  for (const n of numbers(6)) await door.append([ask(n === 3 ? 'poison' : 'key', { n })])
  be('well')
  await until('the rest is on the log', () => spool.status().events === 0)
  assert.deepEqual((await onLog()).get('key'), [0, 1, 2, 4, 5])
  assert.equal(spool.status().corrupt, 1)
  assert.deepEqual(
    reports.map(({ kind }) => kind),
    ['corrupt'],
  )
})

test('an event that does not fit its schema is refused, whatever the log does', async (t) => {
  const { door, spool, be } = await openLogAndSpool(t)
  be('away')
  await assert.rejects(door.append([ask('key', { n: 0.5 })]), { name: 'EventInvalid' })
  assert.equal(spool.status().events, 0)
})
