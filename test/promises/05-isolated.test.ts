import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeDatabases, createAppDatabase, openApp, openDatabases, stripeAccount } from '#harness/app'
import { openGateway } from '#harness/gateway'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { FetchFailure, systemFetch } from '#kernel/fetch'

// A module that is slow, stuck or fed with poison delays itself and nobody else. Poison is incident 23, a frozen
// process incident 27.

test('a ledger that stands still delays neither the door nor the payments before it', async (t) => {
  const { url } = await createAppDatabase(t)
  const own = openDatabases(url)
  t.after(() => closeDatabases(own))
  const ledger = Promise.withResolvers<void>()
  const work = standingStill(own.work, 'millrace_ledger', ledger.promise)
  const app = await openApp(t, { url, databases: { work } })
  t.after(async () => ledger.resolve())
  await app.start()
  const startedMs = systemClock.monotonicMs()
  await Promise.all(Array.from({ length: 200 }, (_, number) => app.webhook(chargeSucceeded(`p${number}`))))
  await until('all are captured', async () => {
    const [row] = await app.rows<{ n: number }>(
      `select count(*)::int as n from payments.payment where status = 'captured'`,
    )
    return row?.n === 200
  })
  assert.ok(systemClock.monotonicMs() - startedMs < 5_000)
  assert.deepEqual(await app.rows('select id from ledger.entry'), [])
  ledger.resolve()
  await app.settle()
  assert.deepEqual(await app.rows('select count(*)::int as n from ledger.entry'), [{ n: 200 }])
})

test('a gateway that hangs delays the payments of its own account only', async (t) => {
  const gateway = await openGateway(t)
  const stuck = stripeAccount({ ...gateway.account, name: 'stuck', tenant: 'patient', url: 'http://127.0.0.1:9' })
  const hanging = Promise.withResolvers<never>()
  hanging.promise.catch(() => {})
  const { fetch, close } = systemFetch(systemClock)
  const app = await openApp(t, {
    accounts: [gateway.account, stuck],
    fetch: (request) => (request.url.startsWith('http://127.0.0.1:9/') ? hanging.promise : fetch(request)),
  })
  t.after(close)
  // Deliverers wait for their calls when they stop.
  t.after(async () => hanging.reject(new FetchFailure('after_send', 'timeout')))
  gateway.reportTo(app)
  await app.start()
  await Promise.all(Array.from({ length: 40 }, (_, number) => app.pay({ key: `stuck-${number}`, tenant: 'patient' })))
  await Promise.all(Array.from({ length: 40 }, (_, number) => app.pay({ key: `quick-${number}` })))
  await until('the other account’s payments are captured', async () => {
    const rows = await app.rows<{ tenant: string; status: string; n: number }>(
      'select tenant, status, count(*)::int as n from payments.payment group by 1, 2',
    )
    return rows.some(({ tenant, status, n }) => tenant === 'main' && status === 'captured' && n === 40)
  })
  const [stuckOnes] = await app.rows<{ n: number }>(
    `select count(*)::int as n from payments.payment where tenant = 'patient' and status = 'pending'`,
  )
  assert.deepEqual(stuckOnes, { n: 40 })
  hanging.reject(new FetchFailure('after_send', 'timeout'))
})

/** Transactions under the role wait to begin: their module does nothing. */
function standingStill(database: Database, role: string, released: Promise<void>): Database {
  return {
    ...database,
    async transaction(options, run) {
      if (options.role === role) await released
      return database.transaction(options, run)
    },
  }
}
