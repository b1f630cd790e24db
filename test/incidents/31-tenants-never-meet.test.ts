import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp, stripeAccount } from '#harness/app'
import { openHttp } from '#harness/http-server'
import { chargeObject, disputeObject, payoutObject, refundObject, stripeEvent } from '#harness/stripe-events'
import { accountBalances, trialBalance } from '#ledger'
import { findPayments } from '#payments'
import { eventsOfKey } from '../../src/log/browse.ts'

// The accident: a caller of one tenant named a thing of another's and got it, or moved it. Two tenants, and the two
// modes of one, send the same keys, customers and gateway ids here, and name each other's. A key or index without the
// tenant, or a query that takes the id's word for it, fails one of these.

const north = { tenant: 'north', mode: 'test' } as const
const south = { tenant: 'south', mode: 'test' } as const
const live = { tenant: 'north', mode: 'live' } as const
const secrets = { north: 'whsec_north', south: 'whsec_south', live: 'whsec_live' }

const accounts = [
  stripeAccount({ ...north, name: 'north', merchant: 'mer_same', webhookSecrets: [secrets.north] }),
  stripeAccount({ ...south, name: 'south', merchant: 'mer_same', webhookSecrets: [secrets.south] }),
  stripeAccount({ ...live, name: 'live', merchant: 'mer_same', webhookSecrets: [secrets.live] }),
]

type Place = 'north' | 'south' | 'live'
const places: readonly Place[] = ['north', 'south', 'live']

test('one tenant’s secret does not sign another’s webhooks', async (t) => {
  const app = await openApp(t, { accounts })
  for (const account of places) {
    for (const signer of places.filter((place) => place !== account)) {
      const event = stripeEvent('charge.succeeded', chargeObject('x'), { livemode: account === 'live' })
      await assert.rejects(app.webhook(event, { account, secret: secrets[signer] }), { code: 'signature_invalid' })
    }
  }
  assert.deepEqual(await app.rows('select id from log.event'), [])
})

test('test money does not enter live books, nor live money test books', async (t) => {
  const app = await openApp(t, { accounts })
  for (const [account, livemode] of [
    ['live', false],
    ['north', true],
  ] as const) {
    const event = stripeEvent('charge.succeeded', chargeObject('x'), { livemode })
    await assert.rejects(app.webhook(event, { account, secret: secrets[account] }), { code: 'body_invalid' })
  }
})

test('the same gateway ids in three books are three payments, and none sees the others', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  await report(app, 'north', 1000)
  await report(app, 'south', 70)
  await report(app, 'live', 3)
  // Named by the other tenants before and after they have a payment of their own.
  await refund(app, 'south', 'a', 20)
  await refund(app, 'north', 'a', 100)
  await dispute(app, 'live', 3)
  await app.settle()

  assert.deepEqual(await payable(app, north), 900n)
  assert.deepEqual(await payable(app, south), 50n)
  assert.deepEqual(await payable(app, live), 3n)
  const [{ n: payments } = { n: 0 }] = await app.rows<{ n: number }>(
    'select count(distinct id)::int as n from payments.payment',
  )
  assert.equal(payments, 3)
  const foreign = (await trialBalance(app.databases.read, north)).filter(({ account }) => /south|live/.test(account))
  assert.deepEqual(foreign, [])
})

test('a refund that names another tenant’s charge never finds it', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  await report(app, 'north', 1000)
  await refund(app, 'south', 'stolen', 1000)
  await app.settle()
  assert.equal(await payable(app, north), 1000n)
  assert.deepEqual(await app.rows('select tenant, account from gateways.held'), [{ tenant: 'south', account: 'south' }])
})

test('a webhook that names another tenant’s payment moves nothing of it', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  const { id } = await app.pay({ key: 'order-1', ...north, merchant: 'mer_same' })
  const charge = chargeObject('x', { metadata: { millrace_payment: id } })
  await app.webhook(stripeEvent('charge.succeeded', charge), { account: 'south', secret: secrets.south })
  await app.settle()
  assert.deepEqual(await trialBalance(app.databases.read, north), [])
  assert.deepEqual(
    await findPayments(app.databases.read, [{ ...south, id }]).then((found) => found.map(({ tenant }) => tenant)),
    ['south'],
  )
  const [own] = await findPayments(app.databases.read, [{ ...north, id }])
  assert.deepEqual([own?.status, own?.movements], ['failed', []])
})

test('the same key of two tenants, two modes and two merchants is four payments', async (t) => {
  const app = await openApp(t, { accounts })
  const ids = await Promise.all(
    [north, south, live, { ...north, merchant: 'mer_other' }].map((place) => app.pay({ key: 'same', ...place })),
  )
  assert.equal(new Set(ids.map(({ id }) => id)).size, 4)
  assert.deepEqual(new Set(ids.map(({ status }) => status)), new Set(['accepted']))
})

test('a payment, its events and an account are found by their own tenant and mode only', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  await report(app, 'north', 1000)
  const { id } = await app.pay({ key: 'order-1', ...north })
  await app.settle()
  const { read } = app.databases
  for (const stranger of [south, live]) {
    assert.deepEqual(await findPayments(read, [{ ...stranger, id }]), [])
    assert.deepEqual(await eventsOfKey(read, { ...stranger, key: id, limit: 10 }), [])
    assert.deepEqual(await accountBalances(read, { ...stranger, account: 'merchant:mer_same:payable' }), [])
    assert.deepEqual(await trialBalance(read, stranger), [])
  }
  assert.equal((await findPayments(read, [{ ...north, id }])).length, 1)
  assert.ok((await eventsOfKey(read, { ...north, key: id, limit: 10 })).length > 0)
})

test('erasing a customer leaves the other tenant’s customer of that name alone', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  await app.pay({ key: 'order-1', ...north, customer: 'jane' })
  const { id } = await app.pay({ key: 'order-1', ...south, customer: 'jane' })
  await app.settle()
  assert.ok((await app.app.eraseCustomer('north', 'jane')) > 0)
  const [payment] = await findPayments(app.databases.read, [{ ...south, id }])
  const [details] = await app.app.seal.open([payment?.details ?? ''], 'south/payment.requested/details')
  assert.match(details?.toString() ?? '', /jane/)
})

test('a sealed text opens under its own tenant only', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  const { id } = await app.pay({ key: 'order-1', ...north, customer: 'jane' })
  await app.settle()
  const [payment] = await findPayments(app.databases.read, [{ ...north, id }])
  await assert.rejects(app.app.seal.open([payment?.details ?? ''], 'south/payment.requested/details'))
})

test('payouts with one id in two books are two', async (t) => {
  const app = await openApp(t, { accounts })
  await app.start()
  for (const [account, amount] of [
    ['north', 500],
    ['south', 20],
  ] as const) {
    await app.webhook(stripeEvent('payout.paid', payoutObject('x', amount)), { account, secret: secrets[account] })
  }
  await app.settle()
  const bank = async (place: { tenant: string; mode: string }, account: string) =>
    (await accountBalances(app.databases.read, { ...place, account: `bank:${account}` }))[0]?.balance
  assert.equal(await bank(north, 'north'), 500n)
  assert.equal(await bank(south, 'south'), 20n)
  assert.equal(await bank(south, 'north'), undefined)
})

test('over HTTP, a stranger’s key reads nothing, and is told no more than of what does not exist', async (t) => {
  const app = await openApp(t, { accounts })
  const http = await openHttp(t, app)
  const owner = await http.apiKey('north', 'test')
  const strangers = [await http.apiKey('south', 'test'), await http.apiKey('north', 'live')]
  await report(app, 'north', 1000)
  const { id } = await app.pay({ key: 'order-1', ...north, customer: 'jane' })
  await app.settle()
  const get = async (path: string, apiKey: string): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(new URL(path, http.url), { headers: { authorization: `Bearer ${apiKey}` } })
    return { status: answer.status, body: withoutTrace(await answer.json()) }
  }
  const countAt = async (path: string, apiKey: string): Promise<number> => {
    const { body } = await get(path, apiKey)
    return typeof body === 'object' && body !== null && 'data' in body && Array.isArray(body.data)
      ? body.data.length
      : -1
  }
  const pairs: [ours: string, nobodys: string][] = [
    [`/v1/payments/${id}`, '/v1/payments/pay_nobody'],
    [`/v1/payments/${id}/events`, '/v1/payments/pay_nobody/events'],
    ['/v1/accounts/merchant:mer_same:payable', '/v1/accounts/merchant:mer_nobody:payable'],
  ]
  for (const [ours, nobodys] of pairs) {
    assert.equal((await get(ours, owner)).status, 200, ours)
    for (const stranger of strangers) {
      const answer = await get(ours, stranger)
      assert.equal(answer.status, 404, ours)
      assert.deepEqual(answer, await get(nobodys, stranger))
    }
  }
  for (const stranger of strangers) {
    const { status, body } = await get('/v1/trial-balance', stranger)
    assert.equal(status, 200)
    assert.doesNotMatch(JSON.stringify(body), /mer_same/)
    for (const list of ['/v1/payments', '/v1/accounts', '/v1/events']) {
      assert.deepEqual((await get(list, stranger)).status, 200, list)
      assert.deepEqual(await countAt(list, stranger), 0, list)
      assert.ok((await countAt(list, owner)) > 0, list)
    }
  }
  // To erase is to name a customer of one's own.
  const [south] = strangers
  const headers = { authorization: `Bearer ${south}` }
  await fetch(new URL('/v1/customers/jane/personal-data', http.url), { method: 'DELETE', headers })
  const [payment] = await findPayments(app.databases.read, [{ ...north, id }])
  const [details] = await app.app.seal.open([payment?.details ?? ''], 'north/payment.requested/details')
  assert.match(details?.toString() ?? '', /jane/)
})

/** Ids of the request itself differ from one to the next. */
function withoutTrace(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body
  return Object.fromEntries(Object.entries(body).filter(([name]) => !/trace|instance/i.test(name)))
}

async function report(app: AppUnderTest, account: Place, amount: number): Promise<void> {
  const event = stripeEvent('charge.succeeded', chargeObject('x', { amount }), { livemode: account === 'live' })
  await app.webhook(event, { account, secret: secrets[account] })
}

async function refund(app: AppUnderTest, account: Place, part: string, amount: number): Promise<void> {
  const event = stripeEvent('refund.created', refundObject('x', part, amount), { livemode: account === 'live' })
  await app.webhook(event, { account, secret: secrets[account] })
}

async function dispute(app: AppUnderTest, account: Place, amount: number): Promise<void> {
  const event = stripeEvent('charge.dispute.created', disputeObject('x', amount), { livemode: account === 'live' })
  await app.webhook(event, { account, secret: secrets[account] })
}

async function payable(app: AppUnderTest, place: { tenant: string; mode: string }): Promise<bigint | undefined> {
  const account = 'merchant:mer_same:payable'
  return (await accountBalances(app.databases.read, { ...place, account }))[0]?.balance
}
