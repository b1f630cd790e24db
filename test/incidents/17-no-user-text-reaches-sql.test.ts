import assert from 'node:assert/strict'
import { request } from 'node:http'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { openApp, stripeAccount } from '#harness/app'
import { type HttpUnderTest, openHttp } from '#harness/http-server'
import { chargeObject, stripeEvent } from '#harness/stripe-events'

// The accident: a filter was glued into a query, and its quote ended the literal. Here every text a caller can send is an
// attack, a wildcard, a NUL, half a character or far too long, in every place that takes text. The answer is never a 5xx,
// and never a row of the other tenant; and the tables are there afterwards.

const mine = { tenant: 'mine', mode: 'test' } as const
const theirs = { tenant: 'theirs', mode: 'test' } as const
const marks = /mer_theirs|theirs@example|"theirs"/

const paths = [
  '/v1/payments/:text',
  '/v1/payments/:text/events',
  '/v1/accounts/:text',
  '/v1/webhook-endpoints/:text',
  '/v1/webhook-endpoints/:text/events',
  '/v1/webhook-endpoints/:text/attempts',
  '/errors/:text',
  '/v1/:text',
]
const parameters: Readonly<Record<string, readonly string[]>> = {
  '/v1/payments': ['status', 'merchant', 'customer', 'currency', 'created_after', 'created_before', 'limit', 'cursor'],
  '/v1/accounts': ['currency', 'limit', 'cursor'],
  '/v1/events': ['type', 'limit', 'cursor'],
}
const headers = [
  'authorization',
  'millrace-version',
  'last-event-id',
  'idempotency-key',
  'prefer',
  'traceparent',
  'accept',
]
const posts = ['capture', 'cancel', 'refunds']

const attack = fc.constantFrom(
  "'",
  "' or '1'='1",
  "'; drop table payments.payment; --",
  '" or ""="',
  "x') union select 'pay_x', now()::text --",
  '$1',
  '$$ or $$',
  '%',
  '_',
  'pay\\_%',
  '\\',
  '\0',
  'a\0b',
  '\ud800',
  '\u202e\u0000',
  '9999-12-31T23:59:60Z',
  '2026-02-30T00:00:00+99:99',
  '-1',
  '1e400',
  'NaN',
  'null',
  'infinity',
  '[]',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '%00',
  '%c0%ae',
  '𝕻 \u200d é ß ﬃ',
  'x'.repeat(255),
  'x'.repeat(5_000),
)
const text = fc.oneof(
  attack,
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.tuple(attack, attack).map((two) => two.join('')),
)

test('no text in a path, a filter, a cursor, a header or a body is a 5xx or shows another tenant’s rows', async (t) => {
  const { http, app, keys } = await setUp(t)
  const check = async (method: string, path: string, sent: Record<string, string>, body?: string): Promise<void> => {
    const { status, answered } = await send(http, method, path, { authorization: `Bearer ${keys.mine}`, ...sent }, body)
    assert.ok(status < 500, `${status} for ${method} ${path} ${JSON.stringify(sent)} ${body ?? ''}`)
    assert.doesNotMatch(answered, marks, path)
  }
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), text, (path, sent) =>
      check('GET', path.replace(':text', encoded(sent)), {}),
    ),
    { numRuns: 120 },
  )
  const query = fc
    .constantFrom(...Object.keys(parameters))
    .chain((path) =>
      fc.record({ path: fc.constant(path), filters: fc.dictionary(nameOf(path), text, { minKeys: 1, maxKeys: 3 }) }),
    )
  await fc.assert(
    fc.asyncProperty(query, ({ path, filters }) => {
      const search = Object.entries(filters).map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      return check('GET', `${path}?${search.join('&')}`, {})
    }),
    { numRuns: 200 },
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...headers), text, (name, value) => {
      const sendable = Buffer.from(value.replaceAll(/\p{Cc}/gu, ''), 'utf8')
        .toString('latin1')
        .trim()
      // A stream would be held open: it is asked for by its exact name only.
      return sendable.length > 4_000 ? Promise.resolve() : check('GET', '/v1/events', { [name]: sendable })
    }),
    { numRuns: 80 },
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...posts), text, text, (call, id, value) => {
      const body = JSON.stringify(call === 'refunds' ? { amount: 1, reason: value } : { amount: value })
      const about = { 'idempotency-key': 'key', 'content-type': 'application/json' }
      return check('POST', `/v1/payments/${encoded(id)}/${call}`, about, body)
    }),
    { numRuns: 80 },
  )
  await fc.assert(
    fc.asyncProperty(text, (value) => {
      const fields = { amount: 1, currency: 'EUR', merchant: 'mer_a', payment_method: 'pm_sim_approve' }
      const personal = { customer: value, description: value, metadata: { [value]: value } }
      const about = {
        'idempotency-key': `key-${Buffer.from(value).toString('hex').slice(0, 200)}`,
        'content-type': 'application/json',
      }
      return check('POST', '/v1/payments', about, JSON.stringify({ ...fields, ...personal }))
    }),
    { numRuns: 40 },
  )
  await fc.assert(
    fc.asyncProperty(text, (value) => check('DELETE', `/v1/customers/${encoded(value)}/personal-data`, {})),
    { numRuns: 30 },
  )
  await fc.assert(
    fc.asyncProperty(text, text, (id, value) => {
      const about = { 'content-type': 'application/json' }
      const fields = { url: `https://example.com/${value}`, description: value, events: ['payment.*'] }
      return check('PATCH', `/v1/webhook-endpoints/${encoded(id)}`, about, JSON.stringify(fields))
    }),
    { numRuns: 30 },
  )
  await fc.assert(
    fc.asyncProperty(text, (value) => {
      const about = { 'content-type': 'application/json' }
      return check(
        'POST',
        '/v1/webhook-endpoints',
        about,
        JSON.stringify({ url: `https://example.com/${value}`, description: value, events: ['payment.*'] }),
      )
    }),
    { numRuns: 30 },
  )
  const [counts] = await app.rows<{ n: number }>(
    "select count(*)::int as n from payments.payment where tenant = 'theirs'",
  )
  assert.equal(counts?.n, 1)
  const { answered } = await send(http, 'GET', '/v1/payments', { authorization: `Bearer ${keys.theirs}` })
  assert.match(answered, /mer_theirs/)
})

test('a wildcard is a letter like any other', async (t) => {
  const { http, keys } = await setUp(t)
  const authorization = `Bearer ${keys.theirs}`
  for (const path of ['/v1/payments?customer=%25', '/v1/payments?customer=their_%40example.com']) {
    const { status, answered } = await send(http, 'GET', path, { authorization })
    assert.deepEqual([status, JSON.parse(answered).data], [200, []], path)
  }
  assert.equal((await send(http, 'GET', '/v1/accounts/merchant%25', { authorization })).status, 404)
  assert.equal((await send(http, 'GET', '/v1/events?type=%25', { authorization })).status, 400)
})

async function setUp(t: TestContext) {
  const accounts = [stripeAccount({ ...theirs, name: 'theirs', merchant: 'mer_theirs' })]
  const app = await openApp(t, { accounts })
  const http = await openHttp(t, app)
  const keys = {
    mine: await http.apiKey(mine.tenant, mine.mode),
    theirs: await http.apiKey(theirs.tenant, theirs.mode),
  }
  await app.webhook(stripeEvent('charge.succeeded', chargeObject('x', { amount: 1000 })), { account: 'theirs' })
  await app.settle()
  return { app, http, keys }
}

function nameOf(path: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...(parameters[path] ?? [])) },
    { weight: 1, arbitrary: text },
  )
}

/** As a client of bad manners encodes it: half a character has no UTF-8, so it is sent as the bytes it is not. */
function encoded(sent: string): string {
  return sent.isWellFormed()
    ? encodeURIComponent(sent)
    : [...Buffer.from(sent, 'utf16le')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Without the manners of fetch, which repairs what it is given. */
function send(http: HttpUnderTest, method: string, path: string, headers: Record<string, string>, body?: string) {
  const { hostname, port } = new URL(http.url)
  return new Promise<{ status: number; answered: string }>((resolve, reject) => {
    const call = request({ hostname, port, method, path, headers }, (response) => {
      let answered = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        answered += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, answered }))
    })
    call.on('error', reject)
    call.end(body)
  })
}
