import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { postedPayments, startLoad } from '#harness/load'
import { startOwnServer } from '#harness/own-server'
import { until } from '#harness/until'
import { verifyLedger } from '#ledger'

// The accident: the database was restarted under load, the driver threw where nobody could catch, or its pool waited
// for ever. Twenty times every process of PostgreSQL is killed here. An error thrown outside of a promise fails the test
// run; a promise that hangs keeps its client from ever being done; a loop that died leaves payments unposted.

const kills = 20
const clients = 16
/** Past every timeout that an answer is allowed: connecting 5 s, a statement 10 s. */
const answerMsMax = 12_000

test('PostgreSQL is killed twenty times under load, and work goes on', async (t) => {
  const server = await startOwnServer(t)
  const app = await openApp(t, { url: server.url })
  await app.start()
  const load = startLoad(app, { clients })
  t.after(() => load.stop())
  let longestMs = 0
  for (let kill = 1; kill <= kills; kill++) {
    const before = load.acknowledged.size
    await until(`payments are acknowledged before kill ${kill}`, () => load.acknowledged.size > before + 20)
    await server.crash()
    longestMs = Math.max(longestMs, load.longestMs())
  }
  const before = load.acknowledged.size
  await until('payments are acknowledged after the last kill', () => load.acknowledged.size > before + 20)
  await load.stop()
  await app.settle()

  const posted = await postedPayments(app)
  assert.deepEqual(
    [...load.acknowledged].filter((name) => posted.get(name) !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  assert.ok(load.failed() >= kills, 'the kills were felt')
  assert.ok(longestMs < answerMsMax, `an answer took ${Math.round(longestMs)} ms`)
  // Faults and nothing else: an outage parks no event and halts no group.
  assert.deepEqual(
    app.reports.filter(({ kind }) => kind !== 'fault'),
    [],
  )
})
