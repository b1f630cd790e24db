import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueApiKey } from '#access'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { dayOf } from '#kernel/day'
import { systemRandom } from '#kernel/random'
import { fund, history, noon, setUp } from './currencies.ts'

const sides = { debit: 'wallet:ada', credit: 'wallet:ada' }
const sell = { currency: 'EUR', amount: 1001, to_currency: 'JPY' }

test('a rate that was quoted holds for one conversion, whatever the rate is by then', async (t) => {
  const { ask, platform } = await setUp(t)
  await fund(ask, 100_000)
  const say = (rate: string) =>
    ask('POST', '/v1/fx/rates', {
      source: 'treasury',
      rates: [{ base: 'EUR', currency: 'JPY', day: dayOf(systemClock.now()), rate }],
      replace: true,
    })
  await say('160')
  const quoted = await ask('POST', '/v1/ledger/conversion-quotes', { id: 'c-1', ...sell, valid_seconds: 600 })
  assert.equal(quoted.status, 200, JSON.stringify(quoted.body))
  const { quote, expires_at, ...rest } = quoted.body
  assert.deepEqual(rest, {
    id: 'c-1',
    debit: { amount: 1001, currency: 'EUR' },
    credit: { amount: 1602, currency: 'JPY' },
    given: 'debit',
    rate: {
      numerator: '160',
      denominator: '1',
      source: 'treasury',
      effective_at: `${dayOf(systemClock.now())}T00:00:00.000Z`,
    },
  })
  const left = Date.parse(String(expires_at)) - systemClock.now()
  assert.ok(left > 500_000 && left <= 600_000)
  await say('170')

  // It is for nothing else, and nobody else's.
  const convert = (about: object) =>
    ask('POST', '/v1/ledger/conversions', { id: 'c-1', ...sides, ...sell, quote, ...about })
  for (const about of [
    { id: 'c-2' },
    { amount: 1002 },
    { to_currency: 'USD' },
    { quote: `${quote}A` },
    { quote: 'none' },
  ]) {
    const answer = await convert(about)
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [422, 'quote_invalid', 'quote'])
  }
  assert.equal((await convert({ rate: '165' })).body.field, 'rate')
  assert.equal((await convert({ effective_at: noon('2026-03-02') })).body.field, 'effective_at')
  const stranger = await issueApiKey(platform.app.databases.read, systemRandom, { tenant: 'south', mode: 'test' })
  await platform.app.keys.refresh()
  const foreign = await platform.request('POST', '/v1/ledger/conversions', {
    headers: { authorization: `Bearer ${stranger}` },
    body: JSON.stringify({ id: 'c-1', ...sides, ...sell, quote }),
  })
  assert.equal(foreign.body.code, 'quote_invalid')

  const done = await convert({})
  assert.deepEqual([done.status, Object(done.body.credit).amount], [201, 1602], JSON.stringify(done.body))
  assert.equal(typeof done.body.quoted_at, 'string')
  assert.deepEqual((await convert({})).body, { ...done.body, repeated: true })
  assert.equal((await ask('GET', '/v1/ledger/conversions/c-1')).body.quoted_at, done.body.quoted_at)
  const without = await ask('POST', '/v1/ledger/conversions', { id: 'c-3', ...sides, ...sell })
  assert.equal(Object(without.body.credit).amount, 1702)
})

test('a quote that has expired is refused by name, and what was done with it is told all the same', async (t) => {
  const { ask } = await setUp(t)
  await fund(ask, 100_000)
  const rates = [{ base: 'EUR', currency: 'JPY', day: dayOf(systemClock.now()), rate: '160' }]
  await ask('POST', '/v1/fx/rates', { source: 'treasury', rates })
  const quoteOf = async (id: string) =>
    (await ask('POST', '/v1/ledger/conversion-quotes', { id, ...sell, valid_seconds: 1 })).body
  const [taken, left] = [await quoteOf('c-1'), await quoteOf('c-2')]
  const convert = (id: string, quote: unknown) =>
    ask('POST', '/v1/ledger/conversions', { id, ...sides, ...sell, quote })
  const done = await convert('c-1', taken.quote)
  assert.equal(done.status, 201, JSON.stringify(done.body))
  await systemClock.sleep(Math.max(0, Date.parse(String(left.expires_at)) - systemClock.now()))
  const expired = await convert('c-2', left.quote)
  assert.deepEqual([expired.status, expired.body.code], [422, 'quote_expired'])
  assert.deepEqual(expired.body.expired_at, left.expires_at)
  assert.deepEqual((await convert('c-1', taken.quote)).body, { ...done.body, repeated: true })
})

test('a rate that is too old is told from one that nobody has said', async (t) => {
  const { ask, millrace } = await setUp(t)
  await millrace.withFile(history, 'fx', 'import')
  await fund(ask, 10_000)
  const convert = (to_currency: string, day: string) =>
    ask('POST', '/v1/ledger/conversions', { id: 'c', ...sides, ...sell, to_currency, effective_at: noon(day) })
  const stale = (await convert('JPY', '2026-03-11')).body
  assert.deepEqual(
    [stale.status, stale.code, stale.from, stale.to, stale.at, stale.last],
    [422, 'rate_stale', 'EUR', 'JPY', '2026-03-11', '2026-03-03'],
  )
  const unknown = (await convert('GBP', '2026-03-11')).body
  assert.deepEqual([unknown.code, unknown.last], ['rate_unknown', undefined])
  assert.equal((await convert('JPY', '2026-03-01')).body.code, 'rate_unknown')
  assert.equal((await convert('JPY', '2026-03-10')).status, 201)
  const inYen = '/v1/accounts/wallet:ada/balance?in=JPY&effective_at=2026-03-11T00:00:00Z'
  await until('it is said of balances too', async () => (await ask('GET', inYen)).body.code === 'rate_stale')
  const late = await millrace('fx', 'revalue', '--at', '2026-03-11')
  assert.deepEqual([late.code, late.err.split('\n').length], [2, 1])
  assert.match(late.err, /the last rate from JPY to EUR before 2026-03-11 is of 2026-03-03/)
})
