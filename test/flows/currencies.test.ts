import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { issueApiKey } from '#access'
import { until } from '#harness/until'
import { zipOf } from '#harness/zip'
import { systemRandom } from '#kernel/random'
import { type Ask, balancesOf, fund, history, noon, setUp } from './currencies.ts'
import type { Body } from './platform.ts'

test('money is converted at the rate of its day, once, and what was done is shown', async (t) => {
  const { ask, millrace, platform } = await setUp(t)
  assert.deepEqual(await millrace.withFile(history, 'fx', 'import'), {
    code: 0,
    out: '4 rates were new, 0 were replaced, 0 were known.',
    err: 'Left out, being no active currencies: CYP.',
  })
  await fund(ask, 100_000)
  const body = {
    id: 'c-1',
    debit: 'wallet:ada',
    credit: 'wallet:ada',
    currency: 'EUR',
    amount: 1001,
    to_currency: 'JPY',
    effective_at: noon('2026-03-03'),
  }
  const quoted = await ask('POST', '/v1/ledger/conversions?dry_run=true', body)
  const done = await ask('POST', '/v1/ledger/conversions', body)
  assert.deepEqual([quoted.status, done.status], [200, 201], JSON.stringify(done.body))
  assert.deepEqual(done.body, {
    id: 'c-1',
    entry: quoted.body.entry,
    source: 'entry/c-1',
    repeated: false,
    effective_at: noon('2026-03-03'),
    debit: { account: 'wallet:ada', amount: 1001, currency: 'EUR' },
    credit: { account: 'wallet:ada', amount: 1602, currency: 'JPY' },
    given: 'debit',
    rate: { numerator: '160', denominator: '1', source: 'ecb', effective_at: '2026-03-03T00:00:00.000Z' },
    // 10.01 EUR are 1601.6 JPY.
    remainder: { numerator: '-2', denominator: '5' },
  })

  // At a rate that was replaced since, it is still what it was.
  assert.match((await millrace.withFile(history.replace('160', '161'), 'fx', 'import')).err, /160 is known.*161/)
  assert.equal((await millrace.withFile(history.replace('160', '161'), 'fx', 'import', '--replace')).code, 0)
  const again = await ask('POST', '/v1/ledger/conversions', body)
  assert.deepEqual([again.status, again.body], [200, { ...done.body, repeated: true }])
  assert.deepEqual((await ask('GET', '/v1/ledger/conversions/c-1')).body, { ...done.body, repeated: true })
  const other = await ask('POST', '/v1/ledger/conversions', { ...body, amount: 1000 })
  assert.deepEqual([other.status, other.body.code], [409, 'id_reused'])
  const none = await ask('GET', '/v1/ledger/conversions/c-2')
  assert.deepEqual([none.status, none.body.code], [404, 'entry_not_found'])

  // Others have rates of their own, and no conversions of hers.
  const stranger = await issueApiKey(platform.app.databases.read, systemRandom, { tenant: 'south', mode: 'test' })
  await platform.app.keys.refresh()
  const headers = { authorization: `Bearer ${stranger}` }
  assert.equal((await platform.request('GET', '/v1/ledger/conversions/c-1', { headers })).status, 404)

  // What is told carries all of it.
  const told = await eventOf(ask, 'entry/c-1')
  assert.deepEqual(Object(told.conversion).rate, {
    numerator: '160',
    denominator: '1',
    source: 'ecb',
    effectiveAt: 1772496000000,
  })
  assert.equal(Object(told.postings).length, 4)

  await until('balances have read it all', async () => (await balancesOf(platform, 'fx:position:JPY')).JPY === '-1602')
  assert.deepEqual(await balancesOf(platform, 'fx:position:EUR'), { EUR: '1001' })
  assert.deepEqual(await balancesOf(platform, 'wallet:ada'), { EUR: '98999', JPY: '1602' })
})

test('rates are taken from a file or an address, in the archive of the ECB or line by line', async (t) => {
  const { millrace } = await setUp(t)
  const archive = zipOf('eurofxref-hist.csv', history)
  const bank = createServer((request, response) => {
    response.statusCode = request.url === '/eurofxref-hist.zip' ? 200 : 404
    response.end(archive)
  })
  bank.listen(0, '127.0.0.1')
  await once(bank, 'listening')
  t.after(() => bank.close())
  const { port } = bank.address() as AddressInfo
  const imported = await millrace('fx', 'import', `http://127.0.0.1:${port}/eurofxref-hist.zip`)
  assert.deepEqual([imported.code, imported.out], [0, '4 rates were new, 0 were replaced, 0 were known.'])
  const missing = await millrace('fx', 'import', `http://127.0.0.1:${port}/eurofxref.zip`)
  assert.deepEqual(
    [missing.code, missing.err],
    [2, `http://127.0.0.1:${port}/eurofxref.zip answered 404, and not 200.`],
  )

  const own = 'day,base,currency,rate\n2026-03-03,GBP,USD,1.5\n'
  const unnamed = await millrace.withFile(own, 'fx', 'import')
  assert.deepEqual([unnamed.code, unnamed.err.split('\n').length], [2, 1])
  assert.match(unnamed.err, /--source is missing/)
  assert.equal((await millrace.withFile(own, 'fx', 'import', '--source', 'treasury')).code, 0)
  assert.match(
    (await millrace('fx', 'list', '--at', '2026-03-03')).out,
    /1 GBP\s+1\.5 USD\s+2026-03-03\s+treasury\s+all/,
  )
  const wrong = await millrace.withFile('Currency;Rate\n', 'fx', 'import')
  assert.deepEqual([wrong.code, wrong.err.split('\n').length], [2, 1])
  assert.match(wrong.err, /first line must be as in Date,USD,JPY .*, or day,base,currency,rate/)
})

test('limits are checked as for any entry, and a position may have one', async (t) => {
  const { ask } = await setUp(t)
  await fund(ask, 1_000)
  await ask('POST', '/v1/accounts', { id: 'fx:position:USD', type: 'equity', currency: 'USD', floor: -600 })
  const sell = (id: string, amount: number) => ({
    ...{ id, debit: 'wallet:ada', credit: 'wallet:ada', currency: 'EUR', to_currency: 'USD', rate: '1.25', amount },
  })
  assert.equal((await ask('POST', '/v1/ledger/conversions', sell('c-1', 400))).status, 201)
  const tooMuch = (await ask('POST', '/v1/ledger/conversions', sell('c-2', 700))).body
  assert.deepEqual(
    [tooMuch.code, tooMuch.account, tooMuch.available, tooMuch.needed],
    ['insufficient_funds', 'wallet:ada', '600', '700'],
  )
  const tooLong = (await ask('POST', '/v1/ledger/conversions', sell('c-3', 200))).body
  assert.deepEqual(
    [tooLong.code, tooLong.account, tooLong.available, tooLong.needed],
    ['insufficient_funds', 'fx:position:USD', '100', '250'],
  )
  // What is wanted can be given instead of what it takes.
  const { amount: _, ...wanted } = { ...sell('c-4', 1), to_amount: 100 }
  const bought = (await ask('POST', '/v1/ledger/conversions', wanted)).body
  assert.deepEqual([Object(bought.debit).amount, Object(bought.rate).source], [80, 'caller'])
})

test('what is wrong with a conversion, a rate or a revaluation is named', async (t) => {
  const { ask, millrace } = await setUp(t)
  await fund(ask, 1_000)
  const good = {
    id: 'c',
    debit: 'wallet:ada',
    credit: 'wallet:ada',
    currency: 'EUR',
    to_currency: 'USD',
    rate: '2',
    amount: 1,
  }
  const { rate: _, ...withoutRate } = good
  const { amount: __, ...withoutAmount } = good
  const cases: [body: object, status: number, code: string, field: string | undefined][] = [
    [{ ...good, to_currency: 'EUR' }, 400, 'body_invalid', 'to_currency'],
    [{ ...good, to_currency: 'XXX' }, 422, 'currency_unknown', 'to_currency'],
    [{ ...good, to_amount: 1 }, 400, 'body_invalid', 'amount'],
    [withoutAmount, 400, 'body_invalid', 'amount'],
    [{ ...good, rate: '0.0' }, 400, 'body_invalid', 'rate'],
    [{ ...good, rate: '1e3' }, 400, 'body_invalid', 'rate'],
    [{ ...good, rate: 2 }, 400, 'body_invalid', 'rate'],
    [{ ...good, rate: '0.1' }, 422, 'amount_invalid', 'amount'],
    [{ ...good, amount: Number.MAX_SAFE_INTEGER }, 422, 'amount_invalid', 'amount'],
    [{ ...good, debit: 'fx:position:EUR' }, 400, 'body_invalid', 'debit'],
    [{ ...good, credit: 'nobody' }, 422, 'account_unknown', undefined],
    [{ ...good, effective_at: '2999-01-01T00:00:00Z' }, 400, 'body_invalid', 'effective_at'],
    [withoutRate, 422, 'rate_unknown', undefined],
    [{ ...withoutRate, effective_at: '0001-01-01T00:00:00Z' }, 422, 'rate_unknown', undefined],
    [{ ...good, rate: '9'.repeat(16) }, 400, 'body_invalid', 'rate'],
    [{ ...good, quote: '' }, 400, 'body_invalid', 'quote'],
  ]
  for (const [body, status, code, field] of cases) {
    const answer = await ask('POST', '/v1/ledger/conversions', body)
    const seen = [answer.status, answer.body.code, answer.body.field]
    assert.deepEqual(seen, [status, code, field], JSON.stringify([body, answer.body]))
  }
  const quoted = { id: 'q', currency: 'EUR', to_currency: 'USD', amount: 1 }
  for (const [body, field] of [
    [{ ...quoted, to_currency: 'EUR' }, 'to_currency'],
    [{ ...quoted, to_amount: 1 }, 'amount'],
    [{ ...quoted, valid_seconds: 0 }, 'valid_seconds'],
    [{ ...quoted, valid_seconds: 3_601 }, 'valid_seconds'],
  ] as const) {
    const answer = await ask('POST', '/v1/ledger/conversion-quotes', body)
    assert.deepEqual([answer.status, answer.body.field], [400, field], JSON.stringify(answer.body))
  }
  const moved = { id: 'e', postings: [{ account: 'fx:position:EUR', amount: 5, currency: 'EUR' }] }
  assert.equal((await ask('POST', '/v1/ledger/entries', moved)).body.field, 'postings')

  const given = { base: 'EUR', currency: 'USD', day: '2026-03-02', rate: '1.2' }
  const post = (rates: object[], about: object = {}) =>
    ask('POST', '/v1/fx/rates', { source: 'treasury', rates, ...about })
  assert.deepEqual((await post([given])).body, { added: 1, replaced: 0, unchanged: 0 })
  assert.deepEqual((await post([given])).body, { added: 0, replaced: 0, unchanged: 1 })
  const changed = (await post([{ ...given, rate: '1.3' }])).body
  assert.deepEqual([changed.status, changed.code, changed.known, changed.given], [409, 'rate_exists', '1.2', '1.3'])
  assert.deepEqual((await post([{ ...given, rate: '1.3' }], { replace: true })).body, {
    added: 0,
    replaced: 1,
    unchanged: 0,
  })
  for (const day of ['2026-02-30', '0000-01-01']) {
    assert.equal((await post([{ ...given, day }])).body.field, 'rates.0.day')
    assert.equal((await ask('POST', '/v1/ledger/revaluations', { day })).body.field, 'day')
  }
  assert.equal((await post([{ ...given, base: 'XXX' }])).body.field, 'rates.0.base')
  assert.equal((await post([{ ...given, base: 'USD' }])).body.field, 'rates.0.currency')
  assert.equal((await post([given], { source: 'caller' })).body.field, 'source')
  assert.equal((await ask('GET', '/v1/fx/rates?at=2026-02-30')).body.field, 'at')
  const { rates } = (await ask('GET', '/v1/fx/rates?at=2026-03-05')).body
  assert.deepEqual(rates, [{ ...given, rate: '1.3', source: 'treasury', own: true }])
  assert.match(
    (await millrace('fx', 'list', '--at', '2026-03-05')).out,
    /1 EUR\s+1\.3 USD\s+2026-03-02\s+treasury\s+own/,
  )

  assert.equal((await ask('POST', '/v1/ledger/revaluations', { day: '2999-01-01' })).body.field, 'day')
  assert.equal((await ask('GET', '/v1/trial-balance?in=XXX')).body.field, 'in')
  for (const args of [
    ['fx', 'import', 'nowhere.csv'],
    ['fx', 'import', 'http://127.0.0.1:1/rates.csv'],
    ['fx', 'list', '--at', 'today'],
    ['fx', 'revalue'],
    ['fx', 'revalue', '--at', '2999-01-01'],
    ['fx', 'revalue', '--at', '2026-03-02', '--base', 'XXX'],
    ['fx', 'revalue', '--at', '2026-03-02', '--mode', 'real'],
  ]) {
    const { code, out, err } = await millrace(...args)
    assert.deepEqual([code, out, err.split('\n').length], [2, '', 1], args.join(' '))
  }
})

async function eventOf(ask: Ask, source: string): Promise<Body> {
  const { data } = (await ask('GET', '/v1/events?type=ledger.entry_posted&limit=100')).body
  const events: { data: Body }[] = Object(data)
  const found = events.find((event) => event.data.source === source)
  assert.ok(found, `${source} is told`)
  return found.data
}
