import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { order, startTestPlatform } from './platform.ts'

test('a declined payment moves no money', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, payment_method: 'pm_sim_decline_insufficient_funds' })).body
  const payment = await platform.paymentThatIs('failed', id)
  assert.deepEqual([payment.captured, payment.movements], [0, []])
  const nothing = { accounts: [], totals: [], provisional: false, sealed_through: null }
  assert.deepEqual((await platform.request('GET', '/v1/trial-balance')).body, nothing)
  const { data } = (await platform.request('GET', `/v1/payments/${id}/events`)).body
  const changed = Array.isArray(data) ? data.find(({ type }) => type === 'payment.status_changed') : undefined
  assert.deepEqual([changed.data.from, changed.data.to], ['pending', 'failed'])
})

test('a gateway that charges and then says nothing is asked, and the payment ends captured once', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, payment_method: 'pm_sim_timeout_after_charge' })).body
  const payment = await platform.paymentThatIs('captured', id)
  assert.equal(payment.captured, 1999)
  const entries = async () => (await platform.request('GET', '/v1/accounts/merchant:mer_books:payable')).body.balances
  await until('the capture is booked', async () => (await entries()) !== undefined)
  assert.deepEqual(await entries(), [{ currency: 'EUR', debit: '0', credit: '1999', balance: '1999', entries: '1' }])
  assert.equal(platform.gateways.get('simulated')?.intentsOf(String(id)).length, 1)
})

test('a payment over the limit of the risk rules is refused for good, and says why', async (t) => {
  const risk = { perCustomerAMinute: 30, perMerchantAMinute: 1000, amountMax: 1000 }
  const platform = await startTestPlatform(t, { risk })
  const refused = await platform.pay(order)
  assert.deepEqual([refused.status, refused.body.code], [422, 'payment_rejected'])
  assert.match(String(refused.body.detail), /amount_over_limit/)
  assert.equal((await platform.pay(order)).status, 422)
})

test('a manual payment is held and takes no money', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, capture_mode: 'manual' })).body
  const payment = await platform.paymentThatIs('authorized', id)
  assert.deepEqual([payment.captured, payment.capture_mode], [0, 'manual'])
})
