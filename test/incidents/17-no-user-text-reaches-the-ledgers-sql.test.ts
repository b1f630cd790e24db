import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { openApp } from '#harness/app'
import { openHttp } from '#harness/http-server'

// The accident: a filter of a ledger was glued into a query, and its quote ended the literal. Here every text that a caller can
// send to the ledger is an attack, a wildcard, a NUL, half a character or far too long: as a filter, a cursor, an id in an
// address, and in every field of an entry, a hold and an account. The answer is never a 5xx, and never shows what is another
// tenant's; and what follows from the log is not stopped by any of it.

const EUR = 'EUR'

const paths = [
  '/v1/ledger/entries/:text',
  '/v1/ledger/holds/:text',
  '/v1/ledger/scheduled-entries/:text',
  '/v1/accounts/:text/holds',
  '/v1/accounts/:text/balance',
  '/v1/accounts/:text/statement?currency=EUR',
  '/v1/ledger/conversions/:text',
]
const parameters: Readonly<Record<string, readonly string[]>> = {
  '/v1/ledger/entries': [
    'account',
    'source',
    'payment',
    'purpose',
    'currency',
    'amount_min',
    'amount_max',
    'effective_after',
    'effective_before',
    'booked_after',
    'booked_before',
    'limit',
    'cursor',
  ],
  '/v1/ledger/scheduled-entries': ['state', 'limit', 'cursor'],
  '/v1/accounts/wallet/holds': ['state', 'limit', 'cursor'],
  '/v1/accounts/wallet/balance': ['effective_at', 'booked_at', 'in'],
  '/v1/accounts/wallet/statement': ['currency', 'from', 'through', 'booked_at', 'limit', 'cursor'],
  '/v1/trial-balance': ['effective_at', 'booked_at', 'in'],
}
const attack = fc.constantFrom(
  "'",
  "' or '1'='1",
  "'; drop table ledger.schedule; --",
  "x') union select 'theirs', now()::text --",
  '$1',
  '$$ or $$',
  '%',
  'entry/%',
  'entry/theirs',
  'theirs',
  '_',
  '\\',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e\u0000',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:60Z',
  '9999-12-31T23:59:59-23:59',
  '2026-02-30T00:00:00+99:99',
  '-1',
  '999999999999999999',
  '1e400',
  'NaN',
  'null',
  'infinity',
  '{}',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '%00',
  '%c0%ae',
  '%2F',
  '𝕻 \u200d é ß ﬃ',
  'x'.repeat(255),
  'x'.repeat(5_000),
)
const text = fc.oneof(
  attack,
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.tuple(attack, attack).map((two) => two.join('')),
)

test('no text in an address, a filter or a body of the ledger is a 5xx, shows another tenant’s rows, or parks anything', async (t) => {
  const { check, checkBody, app, ask } = await openTwoTenants(t)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), text, (path, sent) =>
      check('GET', path.replace(':text', encoded(sent))),
    ),
    { numRuns: 120 },
  )
  const query = fc.constantFrom(...Object.keys(parameters)).chain((path) => {
    const name = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...(parameters[path] ?? [])) },
      { weight: 1, arbitrary: text },
    )
    return fc.record({ path: fc.constant(path), filters: fc.dictionary(name, text, { minKeys: 1, maxKeys: 3 }) })
  })
  await fc.assert(
    fc.asyncProperty(query, ({ path, filters }) => {
      const search = Object.entries(filters).map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      return check('GET', `${path}?${search.join('&')}`)
    }),
    { numRuns: 250 },
  )
  await fc.assert(
    fc.asyncProperty(anyBody(), ([path, body]) => checkBody(path, body)),
    { numRuns: 250 },
  )
  await app.settle()
  assert.deepEqual(await app.rows('select grp, key from log.parked_key'), [])
  assert.equal((await ask('theirs', '/v1/ledger/entries/theirs')).status, 200)
  assert.equal((await ask('theirs', '/v1/ledger/scheduled-entries/theirs-later')).status, 200)
})

test('a wildcard is a letter like any other, and what another tenant has is not there', async (t) => {
  const { ask } = await openTwoTenants(t)
  for (const path of [
    '/v1/ledger/entries?source=entry%2F%25',
    '/v1/ledger/entries?payment=%25',
    '/v1/ledger/entries?account=wallet',
    '/v1/ledger/entries?source=entry%2Ftheirs',
    '/v1/ledger/entries',
    '/v1/ledger/scheduled-entries',
    '/v1/accounts/wallet/holds',
  ]) {
    const { status, body } = await ask('mine', path)
    assert.deepEqual([status, body.data], [200, []], path)
  }
  for (const path of [
    '/v1/ledger/entries/theirs',
    '/v1/ledger/entries/entry%2Ftheirs',
    '/v1/ledger/entries/%25',
    '/v1/ledger/holds/theirs',
    '/v1/ledger/scheduled-entries/theirs-later',
  ]) {
    assert.equal((await ask('mine', path)).status, 404, path)
  }
  const { body } = await ask('theirs', '/v1/ledger/entries/theirs')
  assert.equal((await ask('mine', `/v1/ledger/entries/${body.entry}`)).status, 404)
  assert.equal((await ask('theirs', `/v1/ledger/entries/${body.entry}`)).status, 200)
})

/** A body in which one field is a text that does not belong there, or does. */
function anyBody(): fc.Arbitrary<[path: string, body: object]> {
  const transfer = { debit: 'cash', credit: 'wallet', amount: 1, currency: EUR }
  const bodies: readonly [path: string, fields: object][] = [
    ['/v1/ledger/entries', { id: 'x', purpose: 'p', transfers: [transfer], effective_at: '2026-01-01T00:00:00Z' }],
    ['/v1/ledger/entries', { id: 'x', transfers: [transfer], scheduled_for: '2999-01-01T00:00:00Z' }],
    ['/v1/ledger/entries', { id: 'x', reverses: 'entry/x' }],
    [
      '/v1/ledger/entries',
      {
        id: 'x',
        postings: [{ account: 'cash', amount: 1, currency: EUR }],
        conditions: [{ account: 'wallet', currency: EUR }],
      },
    ],
    ['/v1/ledger/entries/bulk', { entries: [{ id: 'x', transfers: [transfer] }] }],
    ['/v1/ledger/holds', { id: 'x', purpose: 'p', ...transfer, expires_at: '2999-01-01T00:00:00Z' }],
    ['/v1/ledger/holds/x/post', { id: 'y' }],
    ['/v1/ledger/holds/x/void', { id: 'y' }],
    ['/v1/accounts', { id: 'x', type: 'asset', currency: EUR, parent: 'cash', metadata: { a: 'b' } }],
    ['/v1/ledger/period/close', { through: '2000-01-01T00:00:00Z' }],
    ['/v1/ledger/period/reopen', { reason: 'x' }],
  ]
  return fc.constantFrom(...bodies).chain(([path, fields]) => {
    const places = textsIn(fields)
    return fc
      .tuple(fc.constantFrom(...places), text)
      .map(([place, sent]): [string, object] => [path, Object(withText(fields, place, sent))])
  })
}

type Place = readonly (string | number)[]

/** Where a text stands in a body; also the names of its fields. */
function textsIn(value: unknown, place: Place = []): Place[] {
  if (typeof value === 'string') return [place]
  if (Array.isArray(value)) return value.flatMap((item, n) => textsIn(item, [...place, n]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, item]) => textsIn(item, [...place, name]))
}

function withText(value: unknown, [first, ...rest]: Place, sent: string): unknown {
  if (first === undefined) return sent
  if (Array.isArray(value)) return value.map((item, n) => (n === first ? withText(item, rest, sent) : item))
  const entries = Object.entries(Object(value))
  return Object.fromEntries(entries.map(([name, item]) => [name, name === first ? withText(item, rest, sent) : item]))
}

async function openTwoTenants(t: TestContext) {
  const app = await openApp(t)
  const http = await openHttp(t, app)
  const keys = { mine: await http.apiKey('mine', 'test'), theirs: await http.apiKey('theirs', 'test') }
  const send = async (whose: keyof typeof keys, path: string, body?: string) => {
    const headers = { authorization: `Bearer ${keys[whose]}`, 'content-type': 'application/json' }
    const init = body === undefined ? { headers } : { method: 'POST', headers, body }
    const answer = await fetch(`${http.url}${path}`, init)
    return { status: answer.status, answered: await answer.text() }
  }
  const ask = async (whose: keyof typeof keys, path: string, body?: object) => {
    const { status, answered } = await send(whose, path, body && JSON.stringify(body))
    return { status, body: Object(JSON.parse(answered)) as { readonly [name: string]: unknown } }
  }
  const transfer = { debit: 'cash', credit: 'wallet', amount: 4_711, currency: EUR }
  const later = { transfers: [transfer], scheduled_for: '2999-01-01T00:00:00Z' }
  const bodies: [path: string, body: object][] = [
    ['/v1/accounts', { id: 'cash', type: 'asset' }],
    ['/v1/accounts', { id: 'wallet', type: 'liability' }],
    ['/v1/ledger/entries', { id: 'theirs', transfers: [transfer] }],
    ['/v1/ledger/entries', { id: 'theirs-later', ...later }],
    ['/v1/ledger/holds', { id: 'theirs', ...transfer }],
  ]
  for (const [path, body] of bodies) assert.ok((await ask('theirs', path, body)).status < 300, path)
  await app.settle()
  for (const [path, body] of bodies.slice(0, 1)) await ask('mine', path, body)
  const look = (what: string, { status, answered }: { status: number; answered: string }): void => {
    assert.ok(status < 500, `${status} for ${what}: ${answered}`)
    // Names of traces are drawn: they may have any digits.
    assert.doesNotMatch(answered.replace(/"traceId":"[0-9a-f]+"/, ''), /4711/, what)
  }
  return {
    app,
    ask,
    check: async (method: 'GET', path: string) => look(`${method} ${path}`, await send('mine', path)),
    checkBody: async (path: string, body: object) => {
      const sent = JSON.stringify(body)
      look(`POST ${path} ${sent}`, await send('mine', path, sent))
    },
  }
}

/** As a client of bad manners encodes it: half a character has no UTF-8, so it is sent as the bytes it is not. */
function encoded(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : '%ED%A0%80'
}
