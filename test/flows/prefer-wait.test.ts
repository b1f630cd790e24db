import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { order, startTestPlatform } from './platform.ts'

test('who prefers to wait is answered with what was decided', async (t) => {
  const platform = await startTestPlatform(t)
  const pay = (body: object, key: string, wait: number) => {
    const headers = { 'idempotency-key': key, prefer: `wait=${wait}` }
    return platform.request('POST', '/v1/payments', { headers, body: JSON.stringify(body) })
  }
  const made = await pay(order, 'order-1', 20)
  assert.deepEqual([made.status, made.body.status, made.body.captured], [201, 'captured', 1999])
  const again = await pay(order, 'order-1', 20)
  assert.deepEqual([again.status, again.body.id, again.body.status], [200, made.body.id, 'captured'])
  const declined = await pay({ ...order, payment_method: 'pm_sim_decline' }, 'order-2', 20)
  assert.deepEqual([declined.status, declined.body.status], [201, 'failed'])
  const many = await Promise.all(Array.from({ length: 50 }, (_, n) => pay(order, `many-${n}`, 20)))
  assert.deepEqual(new Set(many.map(({ status, body }) => `${status} ${body.status}`)), new Set(['201 captured']))
})

test('a refund is waited for as well', async (t) => {
  const platform = await startTestPlatform(t)
  const id = (await platform.pay(order)).body.id
  await platform.paymentThatIs('captured', id)
  const headers = { 'idempotency-key': 'refund-1', prefer: 'wait=20' }
  const refund = await platform.request('POST', `/v1/payments/${id}/refunds`, { headers, body: '{"amount":500}' })
  assert.deepEqual([refund.status, refund.body.status, refund.body.amount], [201, 'succeeded', 500])
})

test('when the time is up, or the platform stops, the answer is that it is pending', async (t) => {
  const platform = await startTestPlatform(t)
  const pay = (key: string, wait: number) => {
    const headers = { 'idempotency-key': key, prefer: `wait=${wait}` }
    const body = JSON.stringify({ ...order, payment_method: 'pm_sim_3ds_required' })
    return platform.request('POST', '/v1/payments', { headers, body })
  }
  const timed = await pay('order-1', 1)
  assert.deepEqual([timed.status, timed.body.status], [202, 'pending'])
  const waiting = pay('order-2', 30)
  await until('it is accepted', async () => {
    const { data } = (await platform.request('GET', '/v1/payments')).body
    return Array.isArray(data) && data.length === 2
  })
  const begunMs = systemClock.monotonicMs()
  await platform.stop()
  assert.deepEqual([(await waiting).status, (await waiting).body.status], [202, 'pending'])
  // Idle connections are kept for over a minute otherwise.
  assert.ok(systemClock.monotonicMs() - begunMs < 20_000)
})
