import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { postedPayments, startLoad } from '#harness/load'
import { startOwnServer } from '#harness/own-server'
import { until } from '#harness/until'
import { trialBalance, verifyLedger } from '#ledger'

// The accident: 201 was answered, the database was killed, and after its restart a balance had never moved, because
// what was acknowledged lay in a cache. Here every process of PostgreSQL is killed under load, three times, with fsync
// as in production; a door that answers before its commit, or synchronous_commit = off, loses acknowledged payments.

const clients = 24
const crashes = 3

test('what was acknowledged before PostgreSQL was killed is posted after it, once', async (t) => {
  const server = await startOwnServer(t)
  const app = await openApp(t, { url: server.url })
  await app.start()
  const load = startLoad(app, { clients })
  for (let crash = 1; crash <= crashes; crash++) {
    const before = load.acknowledged.size
    await until('payments are acknowledged', () => load.acknowledged.size > before + 200)
    await server.crash()
  }
  await until('payments are acknowledged after the last crash', () => load.acknowledged.size > 1_000)
  await load.stop()
  await app.settle()

  const posted = await postedPayments(app)
  const lost = [...load.acknowledged].filter((name) => !posted.has(name))
  assert.deepEqual(lost, [])
  assert.deepEqual(
    [...posted].filter(([, n]) => n !== 1),
    [],
  )
  assert.ok(load.failed() > 0, 'a crash under load is felt by some request')

  const { findings } = await verifyLedger(app.databases.read)
  assert.deepEqual(findings, [])
  const accounts = await trialBalance(app.databases.read, { tenant: 'main', mode: 'test' })
  assert.equal(
    accounts.find(({ account }) => account === 'merchant:mer_acme:payable')?.balance,
    1000n * BigInt(posted.size),
  )
})
