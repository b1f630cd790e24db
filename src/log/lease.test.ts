import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLogDatabase } from '#harness/log'
import { until } from '#harness/until'
import { type Clock, systemClock } from '#kernel/clock'
import { statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { ANSWER, toyModule } from './conformance/toy.ts'
import { createLeaseKeeper, startHeartbeat } from './lease.ts'
import { startNotify } from './notify.ts'
import { registerLog } from './runtime.ts'
import { forgetDead } from './sql.ts'
import { TIMERS_GROUP } from './timers.ts'
import { createWakeups } from './wakeup.ts'

const GROUPS = [ANSWER, TIMERS_GROUP]
const PARTITIONS = 8

/** No heartbeat ever comes by itself: only what wakes somebody happens. */
const standingClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => (ms < 1_000 ? systemClock.sleep(ms, signal) : systemClock.sleep(60_000, signal)),
}

test('what a process gives back as it ends is another’s at once, and wakes those who work on it', async (t) => {
  const { url } = await createLogDatabase(t)
  const [leaver, heir] = [await member(t, url, 'leaver'), await member(t, url, 'heir')]
  await until('each has its share', async () => {
    await leaver.keeper.tick()
    await heir.keeper.tick()
    return leaver.held() === PARTITIONS && heir.held() === PARTITIONS
  })
  const loops = heir.wakeups.ticket([`group:${ANSWER}`])
  const timers = heir.wakeups.ticket(['timers'])

  await leaver.end()
  await until('all of it is the heir’s', () => heir.held() === 2 * PARTITIONS, 3_000)
  assert.deepEqual([loops.signal.aborted, timers.signal.aborted], [true, true])
})

test('memberships of the dead are forgotten after a day, and nobody else’s', async (t) => {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 1, applicationName: 'test' })
  t.after(() => database.close())
  await database.query(MEMBERS)
  await forgetDead(database)
  const left = await database.query<{ process: string }>(statement('test.left', 'select process from log.member'))
  assert.deepEqual(left.map(({ process }) => process).sort(), ['alive', 'lately'])
})

const MEMBERS = statement(
  'test.members',
  `insert into log.member (process, grp, expires_at) values ('alive', 'g', log.now() + interval '3 s'),
     ('lately', 'g', log.now() - interval '1 h'), ('long dead', 'g', log.now() - interval '25 h')`,
)

async function member(t: TestContext, url: string, name: string) {
  const database = openDatabase({ url, connectionsMax: 2, applicationName: name })
  await registerLog(database, [toyModule()], [])
  const wakeups = createWakeups()
  const keeper = createLeaseKeeper(database, name, GROUPS, wakeups)
  const stopHeartbeat = startHeartbeat(keeper, { clock: standingClock, wakeups }, (error) => assert.ifError(error))
  const stopNotify = await startNotify(database, wakeups, systemClock, { process: name, isAlone: keeper.isAlone })
  const end = async (): Promise<void> => {
    await stopHeartbeat()
    await keeper.leave()
    await stopNotify()
  }
  t.after(async () => {
    await end()
    await database.close()
  })
  const held = (): number => GROUPS.reduce((sum, group) => sum + keeper.of(group).size, 0)
  return { keeper, wakeups, held, end }
}
