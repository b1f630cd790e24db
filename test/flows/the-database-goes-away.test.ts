import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startOwnServer } from '#harness/own-server'
import { until } from '#harness/until'
import { order, startTestPlatform } from './platform.ts'

test('with the database away payments are taken all the same, answered as pending, and done when it is back', async (t) => {
  const server = await startOwnServer(t)
  const platform = await startTestPlatform(t, { databaseUrl: server.url })
  const before = await platform.pay(order, 'before')
  assert.equal(before.status, 202)
  await platform.paymentThatIs('captured', before.body.id)

  await server.kill()
  const personal = { ...order, customer: 'ada@example.com', description: 'a book', metadata: { shelf: '7' } }
  const taken = await platform.pay(personal, 'during')
  assert.equal(taken.status, 202)
  const again = await platform.pay(personal, 'during')
  assert.deepEqual([again.status, again.body.id], [202, taken.body.id])
  const other = await platform.pay({ ...personal, amount: 1 }, 'during')
  assert.deepEqual([other.status, other.body.code], [409, 'idempotency_key_reused'])

  const shown = await platform.payment(taken.body.id)
  assert.deepEqual(
    [shown.status, shown.amount, shown.customer, shown.description, shown.metadata],
    ['pending', 1999, 'ada@example.com', 'a book', { shelf: '7' }],
  )
  const headers = { 'idempotency-key': 'waiting', prefer: 'wait=1', 'content-type': 'application/json' }
  const waited = await platform.request('POST', '/v1/payments', { headers, body: JSON.stringify(order) })
  assert.deepEqual([waited.status, waited.body.status], [202, 'pending'])

  const refused = await platform.request('POST', `/v1/payments/${taken.body.id}/refunds`, {
    headers: { 'idempotency-key': 'refund', 'content-type': 'application/json' },
    body: '{}',
  })
  assert.deepEqual([refused.status, refused.body.code], [503, 'log_unavailable'])
  const asked = await platform.request('GET', '/v1/trial-balance')
  assert.deepEqual([asked.status, asked.body.code], [503, 'database_unavailable'])
  const readiness = await platform.request('GET', '/readyz')
  assert.deepEqual([readiness.status, readiness.body], [200, { status: 'ready', lag_seconds: null, spooled: 3 }])
  assert.match(String((await platform.request('GET', '/metrics')).body.text), /^millrace_spool_events 3$/m)

  await server.restart()
  for (const id of [taken.body.id, waited.body.id]) {
    const done = await platform.paymentThatIs('captured', id)
    assert.equal(done.captured, 1999)
  }
  assert.equal((await platform.payment(taken.body.id)).description, 'a book')
  await until('the spool is empty', () => platform.app.spool?.status().events === 0)
  assert.equal((await platform.request('GET', '/readyz')).body.spooled, 0)
})
