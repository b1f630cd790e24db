import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { until } from '#harness/until'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

const splits = [
  { merchant: 'mer_seller', share_basis_points: 7_000 },
  { account: 'platform:fees:revenue', amount: 150 },
  { account: 'platform:vat:payable', share_basis_points: 333 },
]
// 7000, 150 and 333 of 1999 by largest remainder: 1399.3, 150, 66.57; the rest is the merchant's.
const shares = { mer_seller: 1399, fees: 150, vat: 67, mer_books: 383 }

test('a captured payment is booked to all who share it, and given back by them', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, splits })).body
  const paid = await platform.paymentThatIs('captured', id)
  assert.deepEqual(paid.splits, [
    { merchant: 'mer_seller', amount: 1399 },
    { account: 'platform:fees:revenue', amount: 150 },
    { account: 'platform:vat:payable', amount: 67 },
  ])
  await sharesAre(platform, shares)
  assert.deepEqual(await typesOf(platform), { 'platform:fees:revenue': 'income', 'platform:vat:payable': 'liability' })

  await refund(platform, id, 'refund-1', { amount: 1000 })
  // 699.85, 75.04, 33.52 and 191.60 of 1000, by largest remainder.
  await sharesAre(platform, { mer_seller: 1399 - 700, fees: 150 - 75, vat: 67 - 33, mer_books: 383 - 192 })
  await refund(platform, id, 'refund-2', {})
  await sharesAre(platform, { mer_seller: 0, fees: 0, vat: 0, mer_books: 0 })
  await platform.paymentThatIs('refunded', id)
  const { totals } = (await platform.request('GET', '/v1/trial-balance')).body
  assert.deepEqual(Object(totals)[0].difference, '0')
})

test('who gives a refund can be said, and nobody gives more than they have', async (t) => {
  const platform = await startTestPlatform(t)
  const { id } = (await platform.pay({ ...order, splits })).body
  await platform.paymentThatIs('captured', id)
  const wrong: [splits: object[], code: string, field: string][] = [
    [[{ merchant: 'mer_other', amount: 1 }], 'body_invalid', 'splits'],
    [[{ account: 'platform:fees:revenue', amount: 151 }], 'split_exceeded', 'splits'],
    [[{ merchant: 'mer_seller', amount: 600 }], 'split_exceeded', 'splits'],
    [[{ amount: 1 }], 'body_invalid', 'splits.0'],
    [
      [
        { merchant: 'mer_seller', amount: 1 },
        { merchant: 'mer_seller', amount: 1 },
      ],
      'body_invalid',
      'splits.1',
    ],
  ]
  for (const [of, code, field] of wrong) {
    const body = JSON.stringify({ amount: 500, splits: of })
    const headers = { 'idempotency-key': 'wrong' }
    const answer = await platform.request('POST', `/v1/payments/${id}/refunds`, { headers, body })
    assert.deepEqual([answer.body.code, answer.body.field], [code, field], body)
  }
  await refund(platform, id, 'r-1', { amount: 500, splits: [{ merchant: 'mer_seller', amount: 400 }] })
  await sharesAre(platform, { mer_seller: 999, fees: 150, vat: 67, mer_books: 283 })
  await refund(platform, id, 'r-2', { amount: 200, splits: [] })
  await sharesAre(platform, { mer_seller: 999, fees: 150, vat: 67, mer_books: 83 })
  await refund(platform, id, 'r-3', {})
  await sharesAre(platform, { mer_seller: 0, fees: 0, vat: 0, mer_books: 0 })
})

test('of a payment that is captured in part, each has their part of that', async (t) => {
  const platform = await startTestPlatform(t)
  const held = { ...order, amount: 1000, capture_mode: 'manual', splits: [{ merchant: 'mer_seller', amount: 600 }] }
  const { id } = (await platform.pay(held)).body
  await platform.paymentThatIs('authorized', id)
  const path = `/v1/payments/${id}/capture`
  await platform.request('POST', path, { headers: { 'idempotency-key': 'c-1' }, body: JSON.stringify({ amount: 333 }) })
  await sharesAre(platform, { mer_seller: 200, mer_books: 133 })
})

test('a sub-merchant is paid what they are owed and no more, once, and is owed it again when that fails', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  await ask('POST', '/v1/accounts', { id: 'bank:main', type: 'asset' })
  const { id } = (await platform.pay({ ...order, splits })).body
  await platform.paymentThatIs('captured', id)
  await sharesAre(platform, shares)
  const payout = (about: object) =>
    ask('POST', '/v1/ledger/payouts', { merchant: 'mer_seller', from: 'bank:main', currency: 'EUR', ...about })

  assert.equal((await payout({ id: 'p-1', amount: 100 })).body.code, 'account_not_guarded')
  await ask('POST', '/v1/accounts', { id: 'merchant:mer_seller:payable', type: 'liability', guarded: true })
  const tooMuch = await payout({ id: 'p-1', amount: 1400 })
  assert.deepEqual(
    [tooMuch.status, tooMuch.body.code, tooMuch.body.available, tooMuch.body.needed],
    [422, 'insufficient_funds', '1399', '1400'],
  )
  const first = await payout({ id: 'p-1', amount: 400 })
  assert.deepEqual([first.status, first.body.status, first.body.amount], [201, 'booked', '400'])
  const again = await payout({ id: 'p-1', amount: 400 })
  assert.deepEqual([again.status, again.body.entry], [200, first.body.entry])
  assert.equal((await payout({ id: 'p-1', amount: 401 })).body.code, 'id_reused')

  const hold = {
    id: 'reserve-1',
    debit: 'merchant:mer_seller:payable',
    credit: 'bank:main',
    amount: 99,
    currency: 'EUR',
  }
  assert.equal((await ask('POST', '/v1/ledger/holds', hold)).status, 201)
  assert.equal((await payout({ id: 'p-2', up_to: 200 })).body.amount, '200')
  assert.equal((await payout({ id: 'p-3' })).body.amount, '700')
  assert.equal((await payout({ id: 'p-4' })).body.code, 'insufficient_funds')

  const failed = await ask('POST', '/v1/ledger/payouts/p-3/fail')
  assert.deepEqual(
    [failed.status, failed.body.status, failed.body.reversal],
    [200, 'failed', 'entry/payout/p-3/failed'],
  )
  assert.deepEqual((await ask('POST', '/v1/ledger/payouts/p-3/fail', {})).body, failed.body)
  assert.deepEqual((await ask('GET', '/v1/ledger/payouts/p-3')).body, failed.body)
  assert.equal((await payout({ id: 'p-3' })).body.status, 'failed')
  assert.equal((await payout({ id: 'p-5' })).body.amount, '700')
  assert.equal((await ask('POST', '/v1/ledger/payouts/none/fail', {})).body.code, 'payout_not_found')
  assert.equal((await ask('GET', '/v1/ledger/payouts/none')).status, 404)
  await sharesAre(platform, { ...shares, mer_seller: 99 })
})

test('payouts asked for at once never take more than there is', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  await ask('POST', '/v1/accounts', { id: 'bank:main', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'merchant:mer_books:payable', type: 'liability', guarded: true })
  const { id } = (await platform.pay({ ...order, amount: 1000 })).body
  await platform.paymentThatIs('captured', id)
  await sharesAre(platform, { mer_books: 1000 })
  const about = { merchant: 'mer_books', from: 'bank:main', currency: 'EUR' }
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => {
      // Half of them want exactly so much, and half what there is of it.
      const wish = n % 2 === 0 ? { amount: 150 } : { up_to: 150 }
      return ask('POST', '/v1/ledger/payouts', { id: `p-${n}`, ...about, ...wish })
    }),
  )
  const done = answers.filter(({ status }) => status === 201)
  const refused = answers.filter(({ status }) => status !== 201)
  assert.ok(
    refused.every(({ body }) => body.code === 'insufficient_funds'),
    JSON.stringify(refused),
  )
  assert.equal(
    done.reduce((sum, { body }) => sum + Number(body.amount), 0),
    1000,
  )
  await sharesAre(platform, { mer_books: 0 })
})

test('what is wrong with a split or a payout is named', async (t) => {
  const platform = await startTestPlatform(t)
  const one = { merchant: 'mer_seller', amount: 1 }
  const cases: [splits: unknown, status: number, code: string, field: string | undefined][] = [
    [[{ ...one, amount: 2000 }], 422, 'split_exceeded', 'splits'],
    [
      [
        { merchant: 'mer_a', share_basis_points: 9_000 },
        { merchant: 'mer_b', share_basis_points: 1_001 },
      ],
      422,
      'split_exceeded',
      'splits',
    ],
    [[one, one], 400, 'body_invalid', 'splits.1'],
    [[{ ...one, merchant: 'mer_books' }], 400, 'body_invalid', 'splits.0.merchant'],
    [[{ ...one, account: 'platform:fees:revenue' }], 400, 'body_invalid', 'splits.0'],
    [[{ amount: 1 }], 400, 'body_invalid', 'splits.0'],
    [[{ ...one, share_basis_points: 1 }], 400, 'body_invalid', 'splits.0'],
    [[{ merchant: 'mer_seller' }], 400, 'body_invalid', 'splits.0'],
    [[{ account: 'gateway:acme:receivable', amount: 1 }], 400, 'body_invalid', 'splits.0.account'],
    [[{ account: 'platform:4242424242424242:revenue', amount: 1 }], 400, 'body_invalid', 'splits.0'],
    [[{ ...one, amount: 0.5 }], 400, 'body_invalid', 'splits.0.amount'],
    [[], 400, 'body_invalid', 'splits'],
    ['mer_seller', 400, 'body_invalid', 'splits'],
  ]
  for (const [wrong, status, code, field] of cases) {
    const answer = await platform.pay({ ...order, splits: wrong })
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [status, code, field], JSON.stringify(wrong))
  }
  await asking(platform)('POST', '/v1/accounts', { id: 'merchant:mer_b:payable', type: 'liability', guarded: true })
  const payout = { id: 'p', merchant: 'mer_a', from: 'bank:main', currency: 'EUR' }
  const wrongPayouts: [body: object, status: number, code: string, field: string | undefined][] = [
    [{ ...payout, amount: 1, up_to: 1 }, 400, 'body_invalid', 'up_to'],
    [{ ...payout, amount: 0 }, 422, 'amount_invalid', 'amount'],
    [{ ...payout, from: 'merchant:mer_a:payable' }, 400, 'body_invalid', 'from'],
    [{ ...payout, from: 'fx:realised' }, 400, 'body_invalid', 'from'],
    [{ ...payout, merchant: 'a:b' }, 400, 'body_invalid', 'merchant'],
    [{ ...payout, currency: 'XXX' }, 422, 'currency_unknown', 'currency'],
    [payout, 422, 'account_not_guarded', 'merchant'],
    [{ ...payout, merchant: 'mer_b' }, 422, 'account_unknown', undefined],
  ]
  for (const [body, status, code, field] of wrongPayouts) {
    const answer = await asking(platform)('POST', '/v1/ledger/payouts', body)
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [status, code, field], JSON.stringify(body))
  }
})

function asking(platform: TestPlatform) {
  return (method: string, path: string, body?: object) =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
}

async function refund(platform: TestPlatform, id: unknown, key: string, body: object): Promise<void> {
  const headers = { 'idempotency-key': key, prefer: 'wait=20' }
  const answer = await platform.request('POST', `/v1/payments/${id}/refunds`, { headers, body: JSON.stringify(body) })
  assert.equal(answer.status, 201, JSON.stringify(answer.body))
}

/** Waits until everybody has so much, in minor units. */
async function sharesAre(platform: TestPlatform, wanted: Readonly<Record<string, number>>): Promise<void> {
  const accountOf = (name: string) =>
    name.startsWith('mer_') ? `merchant:${name}:payable` : `platform:${name}:${name === 'vat' ? 'payable' : 'revenue'}`
  const shown = async () => {
    const found = Object.keys(wanted).map(async (name) => {
      const { balances } = (await platform.request('GET', `/v1/accounts/${accountOf(name)}`)).body
      return [name, Number(Object(balances)[0]?.balance ?? Number.NaN)] as const
    })
    return Object.fromEntries(await Promise.all(found))
  }
  const isThere = async (): Promise<boolean> => isDeepStrictEqual(await shown(), wanted)
  // What they are instead says more than that they are not.
  await until('the shares are as wanted', isThere, 8_000).catch(() => {})
  assert.deepEqual(await shown(), wanted)
}

async function typesOf(platform: TestPlatform): Promise<Record<string, string>> {
  const { accounts } = (await platform.request('GET', '/v1/trial-balance')).body
  const all: { account: string; type: string }[] = Object(accounts)
  return Object.fromEntries(
    all.filter(({ account }) => account.startsWith('platform:')).map(({ account, type }) => [account, type]),
  )
}
