import assert from 'node:assert/strict'
import { test } from 'node:test'
import Stripe from 'stripe'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { startTestPlatform } from './platform.ts'

const secret = 'whsec_first'
const nextSecret = 'whsec_next'
const acme = {
  gateway: 'stripe',
  tenant: undefined,
  mode: 'test',
  merchant: 'mer_acme',
  webhookSecrets: [secret, nextSecret],
  url: undefined,
  apiKey: undefined,
} as const

const charge = {
  ...{ id: 'ch_1', object: 'charge', amount: 5000, amount_captured: 5000, amount_refunded: 0, currency: 'usd' },
  ...{ captured: true, paid: true, status: 'succeeded', payment_intent: 'pi_1', metadata: {} },
}
const event = { id: 'evt_1', object: 'event', type: 'charge.succeeded', livemode: false, data: { object: charge } }

/** As Stripe's own library signs them. */
function signature(payload: string, secretOf = secret, ageSeconds = 0): string {
  const timestamp = Math.floor(systemClock.now() / 1000) - ageSeconds
  return Stripe.webhooks.generateTestHeaderString({ payload, secret: secretOf, timestamp })
}

test("webhooks signed by Stripe's own library are taken, and what they tell is booked once", async (t) => {
  const platform = await startTestPlatform(t, { gateways: { acme } })
  const send = (body: string, header: string) =>
    platform.request('POST', '/v1/gateways/stripe/acme/webhooks', { body, headers: { 'stripe-signature': header } })
  const payload = JSON.stringify(event, null, 2)
  for (const key of [secret, nextSecret, secret])
    assert.equal((await send(payload, signature(payload, key))).status, 200)

  const account = () => platform.request('GET', '/v1/accounts/merchant:mer_acme:payable')
  await until('the charge is booked', async () => (await account()).status === 200)
  assert.deepEqual((await account()).body.balances, [
    { currency: 'USD', debit: '0', credit: '5000', balance: '5000', entries: '1' },
  ])
})

test('tampered, stale, unsigned and misdirected webhooks are refused', async (t) => {
  const platform = await startTestPlatform(t, { gateways: { acme } })
  const payload = JSON.stringify(event)
  const live = JSON.stringify({ ...event, livemode: true })
  const send = async (body: string, header: string | undefined, path = 'stripe/acme') => {
    const headers: Record<string, string> = header === undefined ? {} : { 'stripe-signature': header }
    const answer = await platform.request('POST', `/v1/gateways/${path}/webhooks`, { body, headers })
    return [answer.status, answer.body.code]
  }
  const tampered = payload.replace('5000', '9000')
  assert.deepEqual(await send(tampered, signature(payload)), [400, 'signature_invalid'])
  assert.deepEqual(await send(payload, signature(payload, 'whsec_somebody')), [400, 'signature_invalid'])
  assert.deepEqual(await send(payload, undefined), [400, 'signature_invalid'])
  assert.deepEqual(await send(payload, signature(payload, secret, 301)), [400, 'signature_stale'])
  assert.deepEqual(await send(live, signature(live)), [400, 'body_invalid'])
  assert.deepEqual(await send('{}', signature('{}')), [400, 'body_malformed'])
  assert.deepEqual(await send(payload, signature(payload), 'stripe/other'), [404, 'gateway_account_not_found'])
  assert.deepEqual(await send(payload, signature(payload), 'simulated/acme'), [404, 'gateway_account_not_found'])
  const nothing = { accounts: [], totals: [], provisional: false, sealed_through: null }
  assert.deepEqual((await platform.request('GET', '/v1/trial-balance')).body, nothing)
})
