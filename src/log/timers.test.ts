import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLogDatabase } from '#harness/log'
import { until } from '#harness/until'
import { type Database, statement, type Tx } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { changeTimers } from './change-timers.ts'
import { ask, toyModule } from './conformance/toy.ts'
import { createLeaseKeeper } from './lease.ts'
import type { TimerChange } from './module.ts'
import { registerLog } from './runtime.ts'
import * as sql from './sql.ts'
import { fireDue, TIMERS_GROUP } from './timers.ts'
import { createWakeups } from './wakeup.ts'

// Whoever fires timers and whoever changes them meet at the same rows, and neither may hold the other up.

const LOCK = statement('test.lock_timer', 'select from log.timer where id = $1 for update')
const WAITING = statement(
  'test.waiting',
  "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
)

async function openTimers(t: TestContext) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 4, applicationName: 'timers' })
  t.after(() => database.close())
  await registerLog(database, [toyModule()], [])
  const leases = createLeaseKeeper(database, 'one', [TIMERS_GROUP], createWakeups())
  await leases.tick()
  return {
    database,
    change: (...changes: TimerChange[]) => database.transaction({}, (tx) => changeTimers(tx, changes)),
    fire: async () => (await fireDue({ database, leases })).fired,
  }
}

const due = (id: string): TimerChange => ({ schedule: { id, at: 0, event: ask(id, { n: 0 }) } })
const isWaitedFor = (database: Database) => async (): Promise<boolean> => (await database.query(WAITING)).length > 0
const locked = <Result>(database: Database, id: string, work: (tx: Tx) => Promise<Result>): Promise<Result> =>
  database.transaction({}, async (tx) => {
    await tx.query(LOCK, [id])
    return work(tx)
  })

test('what somebody is about to cancel is not waited for, and what else is due fires', async (t) => {
  const { database, change, fire } = await openTimers(t)
  await change(due('a'), due('b'))
  await locked(database, 'a', async (tx) => {
    assert.equal(await fire(), 1)
    await sql.cancel(tx, ['a'])
  })
  assert.equal(await fire(), 0)
})

test('a timer whose cancelling came to nothing fires after all', async (t) => {
  const { database, change, fire } = await openTimers(t)
  await change(due('a'))
  const broken = locked(database, 'a', async () => {
    assert.equal(await fire(), 0)
    throw new Error('broken off')
  })
  await assert.rejects(broken, /broken off/)
  assert.equal(await fire(), 1)
})

test('two who cancel and spend the same timers take them in one order, whatever order they name them in', async (t) => {
  const { database, change } = await openTimers(t)
  const ids = Array.from({ length: 50 }, (_, n) => `timer ${String(n).padStart(2, '0')}`)
  for (const take of [sql.cancel, spend]) {
    await change(...ids.map(due))
    const [first = ''] = ids
    // Both stand at the first: had either taken a later one before, the other could have that one's.
    const both = await locked(database, first, async (tx) => {
      const forwards = database.transaction({}, (other) => take(other, ids))
      const backwards = database.transaction({}, (other) => take(other, ids.toReversed()))
      await until('somebody waits', isWaitedFor(database))
      await tx.query(LOCK, [ids.at(-1) ?? ''])
      return [forwards, backwards]
    })
    await Promise.all(both)
  }
})

function spend(tx: Tx, ids: readonly string[]): Promise<unknown> {
  return sql.spendTimers(
    tx,
    ids.map((id) => ({ id, generation: 1n })),
  )
}
