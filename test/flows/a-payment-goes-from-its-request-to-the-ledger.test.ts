import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lagOf } from '#harness/log'
import { until } from '#harness/until'
import { verifyLedger } from '#ledger'
import { order, startTestPlatform } from './platform.ts'

test('a payment is accepted, captured at the gateway, booked, and can be looked up from its request on', async (t) => {
  const platform = await startTestPlatform(t)
  const accepted = await platform.pay({ ...order, customer: 'anna', description: 'Two books', metadata: { cart: '7' } })
  assert.equal(accepted.status, 202)
  const { id } = accepted.body
  const atOnce = await platform.payment(id)
  assert.deepEqual([atOnce.id, atOnce.amount, atOnce.customer], [id, 1999, 'anna'])

  const payment = await platform.paymentThatIs('captured', id)
  assert.deepEqual(
    [payment.currency, payment.captured, payment.refunded, payment.capture_mode],
    ['EUR', 1999, 0, 'automatic'],
  )
  assert.deepEqual([payment.description, payment.metadata], ['Two books', { cart: '7' }])

  const payable = '/v1/accounts/merchant:mer_books:payable'
  await until('the books show it', async () => (await platform.request('GET', payable)).status === 200)
  const account = (await platform.request('GET', payable)).body
  assert.deepEqual(account, {
    id: 'merchant:mer_books:payable',
    type: 'liability',
    balances: [{ currency: 'EUR', debit: '0', credit: '1999', balance: '1999', entries: '1' }],
  })
  const { totals } = (await platform.request('GET', '/v1/trial-balance')).body
  assert.deepEqual(totals, [{ currency: 'EUR', debit: '2057', credit: '2057', difference: '0' }])
  assert.deepEqual((await verifyLedger(platform.app.databases.read)).findings, [])
})

test('the events of a payment are CloudEvents in order, with what is personal sealed', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, customer: 'anna' })).body
  await platform.paymentThatIs('captured', id)
  const { data } = (await platform.request('GET', `/v1/payments/${id}/events`)).body
  assert.ok(Array.isArray(data))
  const [requested, created] = data
  assert.deepEqual([requested.type, created.type], ['payment.requested', 'payment.created'])
  assert.deepEqual(
    [requested.specversion, requested.subject, requested.tenant, requested.mode],
    ['1.0', id, 'main', 'test'],
  )
  assert.deepEqual([requested.data.details, requested.data.paymentMethod], ['sealed', 'sealed'])
  assert.equal(created.causationid, requested.id)
  assert.ok(!JSON.stringify(data).includes('anna'))
})

test('asking again under the same key is the same payment; something else under it is refused', async (t) => {
  const platform = await startTestPlatform(t)
  const first = await platform.pay(order)
  const again = await platform.pay(order)
  const other = await platform.pay({ ...order, amount: 2000 })
  assert.deepEqual([again.status, again.body], [202, first.body])
  assert.deepEqual(
    [other.status, other.body.code, other.body.field],
    [409, 'idempotency_key_reused', 'Idempotency-Key'],
  )
  const payment = await platform.paymentThatIs('captured', first.body.id)
  assert.equal(payment.captured, 1999)
  assert.equal(platform.gateways.get('simulated')?.intentsOf(String(first.body.id)).length, 1)
})

test('of a forgotten customer the payment stays, and nothing personal', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, customer: 'anna müller/7', description: 'A gift' })).body
  await platform.paymentThatIs('captured', id)
  // What the gateway tells afterwards would come with a key of its own, as would what is not placed yet.
  await platform.gateways.get('simulated')?.idle()
  await until(
    'all it told is placed',
    async () => (await lagOf(platform.app.databases.read, 'gateways.correlate')) === 0,
  )
  const path = `/v1/customers/${encodeURIComponent('anna müller/7')}/personal-data`
  const erased = await platform.request('DELETE', path)
  assert.deepEqual([erased.status, erased.body.erased], [200, true])
  const payment = await platform.payment(id)
  assert.deepEqual([payment.status, payment.amount], ['captured', 1999])
  assert.deepEqual([payment.customer, payment.description, payment.metadata], [null, null, null])
  assert.deepEqual((await platform.request('DELETE', path)).body.data_keys_destroyed, 0)
})
