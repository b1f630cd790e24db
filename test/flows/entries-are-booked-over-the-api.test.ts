import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { startTestPlatform, type TestPlatform } from './platform.ts'

const EUR = 'EUR'

test('an account is opened, booked on, held on, reversed on, and shown as it is', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  const opened = await ask('POST', '/v1/accounts', {
    id: 'wallet:ada',
    type: 'liability',
    currency: EUR,
    floor: 0,
    metadata: { name: 'Ada' },
  })
  assert.equal(opened.status, 201)
  assert.deepEqual([opened.body.floor, opened.body.guarded, opened.body.metadata], ['0', true, { name: 'Ada' }])
  assert.equal((await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })).status, 201)

  const topup = {
    id: 'topup-1',
    purpose: 'topup',
    transfers: [{ debit: 'cash', credit: 'wallet:ada', amount: 1000, currency: EUR }],
  }
  const first = await ask('POST', '/v1/ledger/entries', topup)
  assert.deepEqual([first.status, first.body.source, first.body.repeated], [201, 'entry/topup-1', false])
  const again = await ask('POST', '/v1/ledger/entries', topup)
  assert.deepEqual([again.status, again.body.entry, again.body.repeated], [200, first.body.entry, true])
  assert.equal((await ask('POST', '/v1/ledger/entries', { ...topup, purpose: 'other' })).body.code, 'id_reused')

  const hold = { id: 'hold-1', debit: 'wallet:ada', credit: 'cash', amount: 700, currency: EUR }
  assert.equal((await ask('POST', '/v1/ledger/holds', hold)).status, 201)
  const spend = { id: 'spend-1', transfers: [{ debit: 'wallet:ada', credit: 'cash', amount: 400, currency: EUR }] }
  const refused = await ask('POST', '/v1/ledger/entries', spend)
  assert.deepEqual(
    [refused.status, refused.body.code, refused.body.account, refused.body.available, refused.body.needed],
    [422, 'insufficient_funds', 'wallet:ada', '300', '400'],
  )
  assert.equal((await ask('POST', '/v1/ledger/holds/hold-1/post', { id: 'post-1', amount: 500 })).status, 201)
  assert.equal((await ask('POST', '/v1/ledger/holds/hold-1/void', { id: 'void-1' })).body.code, 'hold_ended')
  assert.equal((await ask('POST', '/v1/ledger/entries', spend)).status, 201)
  assert.equal((await ask('POST', '/v1/ledger/entries', { id: 'undo-1', reverses: 'entry/spend-1' })).status, 201)
  assert.equal(
    (await ask('POST', '/v1/ledger/entries', { id: 'undo-2', reverses: 'entry/spend-1' })).body.code,
    'entry_reversed',
  )

  await until('the balance has read it all', async () => (await balanceOf(platform, 'wallet:ada')) === '500')
  const { settings } = (await ask('GET', '/v1/accounts/wallet:ada')).body
  assert.deepEqual(Object(settings).available, [{ currency: EUR, amount: '500', held: '0' }])
  const totals = (await ask('GET', '/v1/trial-balance')).body.totals
  assert.deepEqual(Object(totals)[0].difference, '0')

  assert.equal((await ask('PATCH', '/v1/accounts/wallet:ada', { closed: true })).status, 200)
  assert.equal((await ask('POST', '/v1/ledger/entries', { ...spend, id: 'spend-2' })).body.code, 'account_closed')
})

test('a thousand entries at once are each for themselves, or all or none; a dry run books nothing', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'pot', type: 'liability', floor: 0 })
  const out = (n: number, amount: number) => ({
    id: `e-${n}`,
    transfers: [{ debit: n % 2 ? 'pot' : 'cash', credit: n % 2 ? 'cash' : 'pot', amount, currency: EUR }],
  })
  const entries = Array.from({ length: 1000 }, (_, n) => out(n, n === 501 ? 1_000_000 : 1))
  const dry = await ask('POST', '/v1/ledger/entries/bulk?dry_run=true', { entries })
  const atomic = await ask('POST', '/v1/ledger/entries/bulk', { entries, atomic: true })
  assert.deepEqual(counts(atomic.body), { refused: 1000 })
  const each = await ask('POST', '/v1/ledger/entries/bulk', { entries })
  assert.deepEqual(counts(each.body), { done: 999, refused: 1 })
  assert.deepEqual(counts(dry.body), counts(each.body))
  const { refusal } = Object(each.body.results)[501]
  assert.deepEqual(refusal, {
    code: 'insufficient_funds',
    account: 'pot',
    currency: EUR,
    available: '1',
    needed: '1000000',
  })
})

test('a statement tells how a balance came to be, and what it was at any instant', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'sales', type: 'income' })
  const day = (n: number) => `2026-03-0${n}T12:00:00.000Z`
  for (const [n, amount] of [100, 20, 3].entries()) {
    const transfers = [{ debit: 'cash', credit: 'sales', amount, currency: EUR }]
    await ask('POST', '/v1/ledger/entries', { id: `e-${n}`, transfers, effective_at: day(n + 1) })
  }
  const path = '/v1/accounts/cash/statement?currency=EUR'
  await until('the statement has read it all', async () => Object((await ask('GET', path)).body.data).length === 3)
  const first = (await ask('GET', `${path}&limit=2&from=${day(1)}`)).body
  assert.deepEqual([first.opening, first.closing, first.has_more], ['0', '120', true])
  const second = (await ask('GET', `${path}&limit=2&from=${day(1)}&cursor=${first.next_cursor}`)).body
  assert.deepEqual([second.opening, second.closing, second.has_more], ['120', '123', false])
  const later = (await ask('GET', `${path}&from=${day(3)}`)).body
  assert.deepEqual([later.opening, Object(later.data)[0].source, later.closing], ['120', 'entry/e-2', '123'])

  const { balances } = (await ask('GET', `/v1/accounts/sales/balance?effective_at=${day(2)}`)).body
  assert.deepEqual(Object(balances)[0].balance, '120')
  const { totals } = (await ask('GET', `/v1/trial-balance?effective_at=${day(1)}`)).body
  assert.deepEqual(Object(totals), [{ currency: EUR, debit: '100', credit: '100', difference: '0' }])
  assert.deepEqual(
    Object((await ask('GET', '/v1/accounts/sales/balance?booked_at=2026-01-01T00:00:00Z')).body.balances),
    [],
  )
})

test('what is wrong with an entry is named', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = asking(platform)
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset', currency: EUR })
  const posting = (account: string, amount: number, currency = EUR) => ({ account, amount, currency })
  const cases: [body: object, status: number, code: string, about: object][] = [
    [{ id: 'a', postings: [posting('cash', 5)] }, 422, 'unbalanced', { currency: EUR, difference: '5' }],
    [{ id: 'a', postings: [posting('cash', 5), posting('nobody', -5)] }, 422, 'account_unknown', { account: 'nobody' }],
    [
      { id: 'a', postings: [posting('cash', 5, 'USD'), posting('cash', -5, 'USD')] },
      422,
      'currency_mismatch',
      { expected: EUR },
    ],
    [{ id: 'a' }, 400, 'body_invalid', { field: 'postings' }],
    [{ id: 'a', reverses: 'entry/none' }, 404, 'entry_not_found', { id: 'entry/none' }],
    [{ id: '4242424242424242', postings: [posting('cash', 5)] }, 400, 'body_invalid', { field: 'id' }],
    [{ id: 'a', postings: [posting('cash', 5, 'XXX')] }, 422, 'currency_unknown', { field: 'postings' }],
    [
      { id: 'a', postings: [posting('cash', 1), posting('cash', -1)], effective_at: '2999-01-01T00:00:00Z' },
      400,
      'body_invalid',
      { field: 'effective_at' },
    ],
  ]
  for (const [body, status, code, about] of cases) {
    const answer = await ask('POST', '/v1/ledger/entries', body)
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body))
    for (const [name, value] of Object.entries(about)) assert.equal(answer.body[name], value)
  }
})

function asking(platform: TestPlatform) {
  return (method: string, path: string, body?: object) =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
}

async function balanceOf(platform: TestPlatform, account: string): Promise<unknown> {
  const { balances } = (await platform.request('GET', `/v1/accounts/${account}`)).body
  return Object(balances)[0]?.balance
}

function counts({ results }: { readonly [name: string]: unknown }): Record<string, number> {
  const all: { status: string }[] = Object(results)
  return Object.fromEntries(
    [...Map.groupBy(all, ({ status }) => status)].map(([status, same]) => [status, same.length]),
  )
}
