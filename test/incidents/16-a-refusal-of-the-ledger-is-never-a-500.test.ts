import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openApp } from '#harness/app'
import { openHttp } from '#harness/http-server'
import { type RefusalCode, refusals } from '#kernel/errors'

// The accident: what a ledger refused came out as HTTP 500, because each handler mapped errors by itself. Every way in which
// an entry, a hold, a schedule, an account or a period can be refused is provoked here over HTTP, alone and in a bulk; and
// amounts, times and names as large, as old and as odd as the API lets through, which may be booked, but never be a 500 nor
// stop what follows from the log.

const EUR = 'EUR'
const MAX = Number.MAX_SAFE_INTEGER
const transfer = (debit: string, credit: string, amount: number, currency = EUR) => ({
  debit,
  credit,
  amount,
  currency,
})
const entry = (debit: string, credit: string, amount: number, more: object = {}) => ({
  id: 'refused',
  transfers: [transfer(debit, credit, amount)],
  ...more,
})
const hold = (amount: number, more: object = {}) => ({ id: 'refused', ...transfer('wallet', 'cash', amount), ...more })
const soon = new Date(Date.now() + 3_600_000).toISOString()

type Case = readonly [code: RefusalCode, method: 'GET' | 'POST' | 'PATCH', path: string, body?: object]
const ofEntries: readonly (readonly [code: RefusalCode, body: object])[] = [
  ['account_unknown', entry('cash', 'nobody', 1)],
  ['account_closed', entry('cash', 'closed', 1)],
  ['currency_mismatch', { id: 'refused', transfers: [transfer('cash', 'euros', 1, 'USD')] }],
  ['unbalanced', { id: 'refused', postings: [{ account: 'cash', amount: 1, currency: EUR }] }],
  ['insufficient_funds', entry('wallet', 'cash', 101)],
  ['insufficient_funds', entry('wallet', 'cash', MAX)],
  ['ceiling_exceeded', entry('cash', 'capped', 11)],
  [
    'condition_failed',
    entry('cash', 'wallet', 1, { conditions: [{ account: 'wallet', currency: EUR, at_least: 101 }] }),
  ],
  ['account_not_guarded', entry('cash', 'wallet', 1, { conditions: [{ account: 'cash', currency: EUR, at_most: 1 }] })],
  ['period_closed', entry('cash', 'wallet', 1, { effective_at: '2019-12-31T00:00:00Z' })],
  ['id_reused', entry('cash', 'wallet', 1, { id: 'in' })],
  ['id_reused', entry('cash', 'wallet', 1, { id: 'later' })],
  ['entry_not_found', { id: 'refused', reverses: 'entry/nothing' }],
  ['entry_reversed', { id: 'refused', reverses: 'entry/undone' }],
  ['schedule_passed', entry('cash', 'wallet', 1, { scheduled_for: '2020-01-02T00:00:00Z' })],
]
const others: readonly Case[] = [
  ['insufficient_funds', 'POST', '/v1/ledger/holds', hold(101)],
  ['id_reused', 'POST', '/v1/ledger/holds', hold(2, { id: 'ended' })],
  ['body_invalid', 'POST', '/v1/ledger/holds', hold(1, { expires_at: '2020-01-01T00:00:00Z' })],
  ['currency_unknown', 'POST', '/v1/ledger/holds', hold(1, { currency: 'XXX' })],
  ['hold_not_found', 'POST', '/v1/ledger/holds/nothing/post', { id: 'p' }],
  ['hold_not_found', 'POST', '/v1/ledger/holds/nothing/void', { id: 'p' }],
  ['hold_not_found', 'GET', '/v1/ledger/holds/nothing'],
  ['hold_ended', 'POST', '/v1/ledger/holds/ended/post', { id: 'p' }],
  ['hold_ended', 'POST', '/v1/ledger/holds/ended/void', { id: 'p' }],
  ['hold_exceeded', 'POST', '/v1/ledger/holds/open/post', { id: 'p', amount: 2 }],
  ['hold_exceeded', 'POST', '/v1/ledger/holds/open/post', { id: 'p', amount: MAX }],
  ['id_reused', 'POST', '/v1/ledger/holds/open/post', { id: 'in' }],
  ['id_reused', 'POST', '/v1/ledger/holds/open/post', { id: 'later' }],
  ['period_closed', 'POST', '/v1/ledger/holds/open/post', { id: 'p', effective_at: '2019-12-31T00:00:00Z' }],
  ['schedule_not_found', 'GET', '/v1/ledger/scheduled-entries/nothing'],
  ['schedule_not_found', 'POST', '/v1/ledger/scheduled-entries/nothing/cancel'],
  ['entry_not_found', 'GET', '/v1/ledger/entries/nothing'],
  ['parameter_invalid', 'GET', '/v1/ledger/entries?amount_min=1'],
  ['cursor_invalid', 'GET', '/v1/ledger/entries?cursor=abc'],
  ['cursor_invalid', 'GET', '/v1/ledger/scheduled-entries?cursor=abc'],
  ['cursor_invalid', 'GET', '/v1/accounts/wallet/holds?cursor=abc'],
  ['account_exists', 'POST', '/v1/accounts', { id: 'wallet', type: 'asset' }],
  ['account_kind_invalid', 'POST', '/v1/accounts', { id: 'bank:x', type: 'income' }],
  ['limit_invalid', 'POST', '/v1/accounts', { id: 'new', type: 'asset', floor: 2, ceiling: 1 }],
  ['limit_invalid', 'PATCH', '/v1/accounts/wallet', { floor: 101 }],
  ['account_not_found', 'PATCH', '/v1/accounts/nobody', { closed: true }],
  ['account_not_found', 'GET', '/v1/accounts/nobody'],
  ['period_invalid', 'POST', '/v1/ledger/period/close', { through: '2999-01-01T00:00:00Z' }],
  ['reason_invalid', 'POST', '/v1/ledger/period/reopen', { reason: 'ada@example.com asked' }],
]

test('whatever the ledger refuses is answered with the status of its refusal, alone and in a bulk', async (t) => {
  const { ask, app } = await openLedger(t)
  assert.equal((await ask('POST', '/v1/ledger/period/close', { through: '2020-01-01T00:00:00Z' })).status, 200)
  const single = ofEntries.map(([code, body]): Case => [code, 'POST', '/v1/ledger/entries', body])
  for (const [code, method, path, body] of [...single, ...others]) {
    const answer = await ask(method, path, body)
    const what = `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`
    assert.deepEqual([answer.body.code, answer.status], [code, refusals[code].status], what)
  }
  const entries = ofEntries.map(([, body], n) =>
    'id' in body && body.id === 'refused' ? { ...body, id: `r-${n}` } : body,
  )
  const bulk = await ask('POST', '/v1/ledger/entries/bulk', { entries })
  const results: { refusal?: { code: string } }[] = Object(bulk.body.results)
  assert.deepEqual(
    results.map(({ refusal }) => refusal?.code),
    ofEntries.map(([code]) => code),
  )
  const atomic = await ask('POST', '/v1/ledger/entries/bulk', {
    entries: [entry('cash', 'wallet', 1), entry('cash', 'nobody', 1, { id: 'second' })],
    atomic: true,
  })
  assert.equal(Object(atomic.body.results)[0].refusal.code, 'linked_refused')
  // What was refused has used no id up, and left nothing behind.
  assert.equal((await ask('POST', '/v1/ledger/entries', entry('cash', 'wallet', 1))).status, 201)
  assert.deepEqual(app.reports, [])
})

test('what is as large, as old and as odd as it may be is booked or refused, and everything follows from the log', async (t) => {
  const { ask, app } = await openLedger(t)
  const whole = (account: string, amount: number) => ({ account, amount, currency: EUR })
  const odd: object[] = [
    { postings: Array.from({ length: 200 }, (_, n) => whole(n % 2 ? 'cash' : 'wallet', n % 2 ? MAX : -MAX)) },
    { postings: Array.from({ length: 200 }, (_, n) => whole(n % 2 ? 'cash' : 'wallet', n % 2 ? MAX : -MAX)) },
    { transfers: Array.from({ length: 100 }, () => transfer('cash', 'other', MAX)) },
    { postings: [whole('cash', 1), whole('cash', -1)] },
    ...['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59', '1582-10-10T00:00:00Z', '2026-01-01t00:00:00z'].map((at) =>
      entry('cash', 'other', 1, { effective_at: at }),
    ),
    ...['9999-12-31T23:59:59Z', '9999-12-31T23:59:59-23:59', '2024-02-30T00:00:00Z', '2030-06-30T23:59:60Z'].map((at) =>
      entry('cash', 'other', 1, { scheduled_for: at }),
    ),
    entry('cash', 'other', 1, { purpose: 'constructor' }),
    entry('cash', 'other', 1, { id: 'toString' }),
    entry('cash', 'other', 1, { id: `${'x'.repeat(99)}.` }),
    { transfers: [{ ...transfer('other', 'wallet', MAX), sweep: true }] },
    { transfers: [{ ...transfer('wallet', 'other', MAX), sweep: true }] },
  ]
  for (const [n, body] of odd.entries()) {
    const { status, body: answered } = await ask('POST', '/v1/ledger/entries', { ...body, id: `odd-${n}` })
    assert.ok(status < 500, `${status} for ${JSON.stringify(body).slice(0, 200)} ${JSON.stringify(answered)}`)
  }
  const far = hold(1, { id: 'far', expires_at: '9999-12-31T23:59:59Z' })
  assert.equal((await ask('POST', '/v1/ledger/holds', far)).status, 201)
  await app.settle()
  assert.deepEqual(await app.rows('select grp, key from log.parked_key'), [])
  for (const path of [
    '/v1/ledger/entries',
    '/v1/ledger/scheduled-entries',
    '/v1/accounts/wallet/holds',
    '/v1/trial-balance',
  ]) {
    assert.equal((await ask('GET', path)).status, 200, path)
  }
  const { totals } = (await ask('GET', '/v1/trial-balance')).body
  assert.deepEqual(Object(totals)[0].difference, '0')
})

async function openLedger(t: TestContext) {
  const app = await openApp(t)
  const http = await openHttp(t, app)
  const authorization = `Bearer ${await http.apiKey('main', 'test')}`
  const ask = async (method: string, path: string, body?: object) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const headers = { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }
    const answer = await fetch(new URL(path, http.url), { method, headers, ...sent })
    const answered: { readonly [name: string]: unknown } = Object(await answer.json())
    return { status: answer.status, body: answered }
  }
  const steps: [method: string, path: string, body: object][] = [
    ['POST', '/v1/accounts', { id: 'cash', type: 'asset' }],
    ['POST', '/v1/accounts', { id: 'other', type: 'income' }],
    ['POST', '/v1/accounts', { id: 'euros', type: 'liability', currency: EUR }],
    ['POST', '/v1/accounts', { id: 'wallet', type: 'liability', floor: 0 }],
    ['POST', '/v1/accounts', { id: 'capped', type: 'liability', ceiling: 10 }],
    ['POST', '/v1/accounts', { id: 'closed', type: 'liability' }],
    ['PATCH', '/v1/accounts/closed', { closed: true }],
    ['POST', '/v1/ledger/entries', entry('cash', 'wallet', 102, { id: 'in' })],
    ['POST', '/v1/ledger/entries', entry('cash', 'wallet', 5, { id: 'undone' })],
    ['POST', '/v1/ledger/entries', { id: 'undo', reverses: 'entry/undone' }],
    ['POST', '/v1/ledger/entries', entry('cash', 'wallet', 5, { id: 'later', scheduled_for: soon })],
    ['POST', '/v1/ledger/holds', hold(1, { id: 'open' })],
    ['POST', '/v1/ledger/holds', hold(1, { id: 'ended' })],
    ['POST', '/v1/ledger/holds/ended/post', { id: 'ended-post' }],
  ]
  for (const [method, path, body] of steps) {
    const { status, body: answered } = await ask(method, path, body)
    assert.ok(status < 300, `${path} ${JSON.stringify(answered)}`)
  }
  return { app, ask }
}
