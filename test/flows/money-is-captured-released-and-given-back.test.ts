import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueApiKey } from '#access'
import { until } from '#harness/until'
import { systemRandom } from '#kernel/random'
import { verifyLedger } from '#ledger'
import { type Answer, order, startTestPlatform, type TestPlatform } from './platform.ts'

const manual = { ...order, capture_mode: 'manual' }

test('what is held is captured in part, and the rest is let go', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay(manual)).body
  await platform.paymentThatIs('authorized', id)
  const accepted = await ask(platform, id, 'capture', 'capture-1', { amount: 1500 })
  assert.deepEqual([accepted.status, accepted.body.call, accepted.body.status], [202, 'capture', 'pending'])

  const payment = await platform.paymentThatIs('captured', id)
  assert.deepEqual([payment.captured, payment.refunded], [1500, 0])
  assert.deepEqual(operationsOf(payment), ['authorize 1999 succeeded', 'capture 1500 succeeded'])
  const second = await ask(platform, id, 'capture', 'capture-2', {})
  assert.deepEqual([second.status, second.body.code], [409, 'payment_state_invalid'])
  assert.match(String(second.body.detail), /authorized/)

  // What was let go never was money: nobody can have it back.
  const tooMuch = await ask(platform, id, 'refunds', 'refund-1', { amount: 1501 })
  assert.equal(tooMuch.body.detail, 'amount must be at most 1500')
  await ask(platform, id, 'refunds', 'refund-2', {})
  assert.equal((await platform.paymentThatIs('refunded', id)).refunded, 1500)
})

test('what is held is let go, and cannot be captured any more', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay(manual)).body
  await platform.paymentThatIs('authorized', id)
  // Nothing sent says as much as an empty object.
  const path = `/v1/payments/${id}/cancel`
  assert.equal((await platform.request('POST', path, { headers: { 'idempotency-key': 'cancel-1' } })).status, 202)
  const payment = await platform.paymentThatIs('canceled', id)
  assert.deepEqual(operationsOf(payment), ['authorize 1999 succeeded', 'cancel 1999 succeeded'])
  assert.equal((await ask(platform, id, 'capture', 'capture-1', {})).body.code, 'payment_state_invalid')
})

test('money is given back in parts, never more than there is, and the books follow', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay(order)).body
  await platform.paymentThatIs('captured', id)

  const first = await ask(platform, id, 'refunds', 'refund-1', { amount: 500, reason: 'requested_by_customer' })
  assert.equal(first.status, 202)
  await platform.paymentThatIs('partially_refunded', id)
  const tooMuch = await ask(platform, id, 'refunds', 'refund-2', { amount: 1500 })
  assert.deepEqual([tooMuch.status, tooMuch.body.code, tooMuch.body.field], [422, 'amount_too_large', 'amount'])
  assert.equal(tooMuch.body.detail, 'amount must be at most 1499')
  // The refusal did not use up the key.
  assert.equal((await ask(platform, id, 'refunds', 'refund-2', {})).status, 202)

  const payment = await platform.paymentThatIs('refunded', id)
  assert.deepEqual(operationsOf(payment), ['authorize 1999 succeeded', 'refund 500 succeeded', 'refund 1499 succeeded'])
  assert.equal((await ask(platform, id, 'refunds', 'refund-3', {})).body.code, 'payment_state_invalid')
  const payable = '/v1/accounts/merchant:mer_books:payable'
  const balance = async () => {
    const { balances } = (await platform.request('GET', payable)).body
    return Array.isArray(balances) ? balances[0]?.balance : undefined
  }
  await until('the books show it', async () => (await balance()) === '0')
  assert.deepEqual((await verifyLedger(platform.app.databases.read)).findings, [])
})

test('a refund asked for again is the same refund; another under its key is refused', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay(order)).body
  await platform.paymentThatIs('captured', id)
  const [first, again] = await Promise.all([
    ask(platform, id, 'refunds', 'refund-1', { amount: 500 }),
    ask(platform, id, 'refunds', 'refund-1', { amount: 500 }),
  ])
  assert.deepEqual([first.status, again.status, again.body.id], [202, 202, first.body.id])
  const other = await ask(platform, id, 'refunds', 'refund-1', { amount: 600 })
  assert.deepEqual(
    [other.status, other.body.code, other.body.field],
    [409, 'idempotency_key_reused', 'Idempotency-Key'],
  )

  const payment = await platform.paymentThatIs('partially_refunded', id)
  const later = await ask(platform, id, 'refunds', 'refund-1', { amount: 500 })
  assert.deepEqual([later.status, later.body.id], [202, first.body.id])
  assert.equal((await ask(platform, id, 'refunds', 'refund-1', { amount: 600 })).status, 409)
  assert.equal(payment.refunded, 500)
})

test('of two refunds that together are too much, one is refused, and says why', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay(order)).body
  await platform.paymentThatIs('captured', id)
  const answers = await Promise.all(['one', 'two'].map((key) => ask(platform, id, 'refunds', key, { amount: 1500 })))
  // Where the first was decided before the second came in, the door knew it already.
  const refused = answers.filter(({ status }) => status === 422).length
  await until('both are decided', async () => {
    const operations = operationsOf(await platform.payment(id)).sort()
    return operations.length === 3 - refused && operations.every((operation) => !operation.endsWith('pending'))
  })
  const payment = await platform.payment(id)
  const codes = (payment.operations as { code: string | null }[]).map(({ code }) => code).sort()
  assert.deepEqual(operationsOf(payment).sort(), [
    'authorize 1999 succeeded',
    ...(refused === 0 ? ['refund 1500 refused'] : []),
    'refund 1500 succeeded',
  ])
  assert.deepEqual(codes, [...(refused === 0 ? ['amount_too_large'] : []), null, null])
  assert.ok(refused <= 1)
  assert.equal(payment.refunded, 1500)
})

test('a payment that waits for its customer can be canceled', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, payment_method: 'pm_sim_3ds_required' })).body
  const isWaiting = ({ body }: Answer) => JSON.stringify(body.data).includes('requires_action')
  await until('it waits', async () => isWaiting(await platform.request('GET', `/v1/payments/${id}/events`)))
  await until(
    'the gateway was asked to cancel',
    async () => (await ask(platform, id, 'cancel', 'one', {})).status === 202,
  )
  const payment = await platform.paymentThatIs('canceled', id)
  assert.deepEqual(operationsOf(payment), ['authorize 1999 failed', 'cancel 1999 succeeded'])
})

test('money that came back can be given again', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, payment_method: 'pm_sim_on_refund_fails' })).body
  await platform.paymentThatIs('captured', id)
  assert.equal((await ask(platform, id, 'refunds', 'refund-1', {})).status, 202)
  await until('the refund came back', async () => {
    const operations = operationsOf(await platform.payment(id))
    return operations.includes('refund 1999 failed')
  })
  const payment = await platform.payment(id)
  assert.deepEqual([payment.status, payment.refunded], ['captured', 0])
  assert.equal((await ask(platform, id, 'refunds', 'refund-2', {})).status, 202)
})

test('who prefers to wait is told how it ended', async (t) => {
  const platform = await startTestPlatform(t)
  const headers = { 'idempotency-key': 'order-1', prefer: 'wait=20' }
  const paid = await platform.request('POST', '/v1/payments', { headers, body: JSON.stringify(order) })
  assert.deepEqual([paid.status, paid.body.status, paid.body.captured], [201, 'captured', 1999])
  assert.equal(paid.headers['preference-applied'], 'wait=20')
  const again = await platform.request('POST', '/v1/payments', { headers, body: JSON.stringify(order) })
  assert.deepEqual([again.status, again.body.status], [200, 'captured'])

  const refunds = `/v1/payments/${paid.body.id}/refunds`
  const refunded = await platform.request('POST', refunds, { headers, body: '{"amount":99}' })
  assert.deepEqual([refunded.status, refunded.body.status, refunded.body.amount], [201, 'succeeded', 99])
})

test('an operation on a payment that is not there, or of somebody else, is refused', async (t) => {
  const platform = await startTestPlatform(t)
  const missing = await ask(platform, 'pay_00000000000000000000000000', 'refunds', 'refund-1', {})
  assert.deepEqual([missing.status, missing.body.code], [404, 'payment_not_found'])
  for (const odd of ["pay_1'--", encodeURIComponent('pay_ü'), 'x'.repeat(200)]) {
    assert.deepEqual((await ask(platform, odd, 'refunds', 'refund-1', {})).status, 404, odd)
  }
  const { id } = (await platform.pay({ ...order, payment_method: 'pm_sim_slow_2000' })).body
  const { read } = platform.app.databases
  const foreign = await issueApiKey(read, systemRandom, { tenant: 'other', mode: 'test' })
  await platform.app.keys.refresh()
  const headers = { 'idempotency-key': 'refund-1', authorization: `Bearer ${foreign}` }
  const theirs = await platform.request('POST', `/v1/payments/${id}/refunds`, { headers, body: '{}' })
  assert.deepEqual([theirs.status, theirs.body.code], [404, 'payment_not_found'])
  const early = await ask(platform, id, 'refunds', 'refund-1', {})
  assert.deepEqual([early.status, early.body.code], [409, 'payment_state_invalid'])
  const keyless = await platform.request('POST', `/v1/payments/${id}/cancel`, { body: '{}' })
  assert.deepEqual([keyless.status, keyless.body.code], [400, 'idempotency_key_missing'])
  for (const [path, body, field] of [
    ['capture', { amount: 0 }, 'amount'],
    ['refunds', { amount: 1.5 }, 'amount'],
    ['refunds', { reason: 'Ada wanted it' }, 'reason'],
    ['cancel', { amount: 5 }, 'amount'],
    ['capture', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
  ] as const) {
    const refused = await ask(platform, id, path, 'bad', body)
    assert.ok([400, 409, 422].includes(refused.status), `${path} ${refused.status}`)
    if (refused.status !== 409) assert.equal(refused.body.field, field)
  }
})

function ask(platform: TestPlatform, id: unknown, what: string, key: string, body: object): Promise<Answer> {
  const headers = { 'idempotency-key': key }
  return platform.request('POST', `/v1/payments/${id}/${what}`, { headers, body: JSON.stringify(body) })
}

function operationsOf({ operations }: { operations?: unknown }): string[] {
  const known = operations as { call: string; amount: number; status: string }[]
  return known.map(({ call, amount, status }) => `${call} ${amount} ${status}`)
}
