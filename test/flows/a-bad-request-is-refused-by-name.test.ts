import assert from 'node:assert/strict'
import { test } from 'node:test'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

type Row = [what: string, sent: { headers?: Record<string, string>; body?: string }, wanted: [number, string, string?]]

const json = (change: object): { body: string } => ({ body: JSON.stringify({ ...order, ...change }) })
const deep = `{"amount":1,"metadata":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`

/** In the order in which a request is judged: who asks, in what form, what for, under which key. */
const rows: Row[] = [
  ['no API key', { headers: { authorization: '' }, ...json({}) }, [401, 'api_key_invalid']],
  ['a wrong API key', { headers: { authorization: 'Bearer mr_test_nobody' }, ...json({}) }, [401, 'api_key_invalid']],
  [
    'a wrong key before a broken body',
    { headers: { authorization: 'Basic eA==' }, body: '{' },
    [401, 'api_key_invalid'],
  ],
  [
    'another content type',
    { headers: { 'content-type': 'text/plain' }, body: 'amount=1' },
    [415, 'content_type_unsupported'],
  ],
  ['broken JSON', { body: '{"amount":' }, [400, 'body_malformed']],
  ['JSON 40 deep', { body: deep }, [400, 'body_malformed']],
  ['a field named twice', { body: '{"amount":1,"amount":2}' }, [400, 'body_malformed']],
  ['a huge body', json({ description: 'x'.repeat(70_000) }), [413, 'body_too_large']],
  ['a list', { body: '[]' }, [400, 'body_invalid']],
  ['no amount', json({ amount: undefined }), [422, 'amount_invalid', 'amount']],
  ['amount 0', json({ amount: 0 }), [422, 'amount_invalid', 'amount']],
  ['a negative amount', json({ amount: -1 }), [422, 'amount_invalid', 'amount']],
  ['a fraction', json({ amount: 19.99 }), [422, 'amount_invalid', 'amount']],
  ['an amount above 2^53', { body: JSON.stringify({ ...order, amount: 2 ** 53 }) }, [422, 'amount_invalid', 'amount']],
  ['an amount as text', json({ amount: '1999' }), [422, 'amount_invalid', 'amount']],
  ['no currency', json({ currency: undefined }), [422, 'currency_unknown', 'currency']],
  ['a currency in small letters', json({ currency: 'eur' }), [422, 'currency_unknown', 'currency']],
  ['no merchant', json({ merchant: undefined }), [400, 'body_invalid', 'merchant']],
  ['a merchant that is none', json({ merchant: 'books' }), [400, 'body_invalid', 'merchant']],
  ['no payment method', json({ payment_method: undefined }), [400, 'body_invalid', 'payment_method']],
  ['an unknown field', json({ amonut: 1 }), [400, 'body_invalid', 'amonut']],
  ['a capture mode that is none', json({ capture_mode: 'later' }), [400, 'body_invalid', 'capture_mode']],
  ['a metadata value that is no text', json({ metadata: { a: 1 } }), [400, 'body_invalid', 'metadata.a']],
  [
    'no idempotency key',
    { headers: { 'idempotency-key': '' }, ...json({}) },
    [400, 'idempotency_key_missing', 'Idempotency-Key'],
  ],
  [
    'a key of 256 characters',
    { headers: { 'idempotency-key': 'k'.repeat(256) }, ...json({}) },
    [400, 'idempotency_key_invalid', 'Idempotency-Key'],
  ],
  ['a currency that does not exist', json({ currency: 'EUX' }), [422, 'currency_unknown', 'currency']],
  ['a card number for a merchant', json({ merchant: 'mer_4242424242424242' }), [400, 'body_invalid', 'merchant']],
  ['an expiry that is no time', json({ expires_at: 'tomorrow' }), [400, 'body_invalid', 'expires_at']],
  ['an expiry in the past', json({ expires_at: '2020-01-01T00:00:00Z' }), [400, 'body_invalid', 'expires_at']],
]

test('every bad request has its own refusal, names the field, and uses nothing up', async (t) => {
  const platform = await startTestPlatform(t)
  for (const [what, sent, [status, code, field]] of rows) {
    const headers = { 'idempotency-key': 'one-key', ...sent.headers }
    const answer = await platform.request('POST', '/v1/payments', { ...sent, headers })
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [status, code, field], what)
    assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/, what)
    assert.ok(!JSON.stringify(answer.body).includes('4242424242424242'), what)
  }
  assert.equal((await platform.pay(order, 'one-key')).status, 202)
})

test('an API key that asks too often is told when to come back, and others are not held up', async (t) => {
  const platform = await startTestPlatform(t, { rateLimit: { perSecond: 1, burst: 3 } })
  const answers = await Promise.all(Array.from({ length: 6 }, () => platform.request('GET', '/v1/trial-balance')))
  const limited = answers.filter(({ status }) => status === 429)
  assert.ok(limited.length >= 2 && limited.length <= 3)
  assert.deepEqual([limited[0]?.body.code, limited[0]?.headers['retry-after']], ['rate_limited', '1'])
  assert.equal((await platform.request('GET', '/healthz')).status, 200)
})

test('what is not there is not found, whatever it is asked of', async (t) => {
  const platform = await startTestPlatform(t)
  const paths: [string, string][] = [
    ['/v1/payments/pay_nobody', 'payment_not_found'],
    ['/v1/payments/pay_nobody/events', 'payment_not_found'],
    ['/v1/accounts/bank:nowhere', 'account_not_found'],
    ['/v1/nothing', 'route_not_found'],
  ]
  for (const [path, code] of paths) assert.deepEqual(await codeAt(platform, path), [404, code], path)
  assert.equal((await platform.request('DELETE', '/v1/payments')).status, 405)
})

async function codeAt(platform: TestPlatform, path: string) {
  const { status, body } = await platform.request('GET', path)
  return [status, body.code]
}
