import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { type Ask, fund, history, noon, setUp } from './currencies.ts'
import type { TestPlatform } from './platform.ts'

test('a statement is read in pages, as CSV and on the command line, and it is the same', async (t) => {
  const { ask, millrace, platform } = await setUp(t)
  await millrace.withFile(history, 'fx', 'import')
  await spend(ask)
  const stretch = 'from=2026-03-03T00:00:00Z&through=2026-03-03T23:59:59.999Z'
  const path = `/v1/accounts/wallet:ada/statement?currency=EUR&${stretch}`
  await until('statements have read it all', async () => (await ask('GET', path)).body.closing === '8999')
  const page = (await ask('GET', path)).body
  assert.deepEqual([page.opening, page.closing, page.provisional], ['10000', '8999', true])
  const [line] = Object(page.data)

  const csv = await csvOf(platform, path)
  assert.equal(
    csv,
    [
      'line,effective_at,booked_at,source,currency,debit,credit,balance',
      'opening,2026-03-03T00:00:00.000Z,,,EUR,,,10000',
      `line,${noon('2026-03-03')},${line.booked_at},entry/c-1,EUR,1001,0,8999`,
      'closing,2026-03-03T23:59:59.999Z,,,EUR,,,8999',
      '',
    ].join('\r\n'),
  )
  const shown = await millrace(
    'statement',
    'wallet:ada',
    '--currency',
    'EUR',
    '--from',
    '2026-03-03',
    '--to',
    '2026-03-03',
  )
  assert.deepEqual([shown.code, shown.err], [0, ''])
  assert.deepEqual(
    shown.out.split('\n').map((text) => text.trimEnd().split(/ {2,}/)),
    [
      ['TIME', 'ENTRY', 'DEBIT', 'CREDIT', 'BALANCE'],
      ['2026-03-03T00:00:00.000Z', 'opening', '100.00 EUR'],
      [noon('2026-03-03'), 'entry/c-1', '10.01 EUR', '0.00 EUR', '89.99 EUR'],
      ['2026-03-03T23:59:59.999Z', 'closing', '89.99 EUR'],
    ],
  )
  const file = await millrace(
    'statement',
    'wallet:ada',
    '--currency',
    'EUR',
    '--from',
    '2026-03-03',
    '--to',
    '2026-03-03',
    '--csv',
  )
  assert.equal(`${file.out}\r\n`, csv)

  // As of before anything was booked there is nothing in it, and nothing of that can change.
  const early = (await ask('GET', `${path}&booked_at=2026-01-01T00:00:00Z`)).body
  assert.deepEqual([early.opening, early.closing, early.data, early.provisional], ['0', '0', [], false])
})

test('in another currency it is said at which rates, and closing rates leave rounding alone', async (t) => {
  const { ask, millrace, platform } = await setUp(t)
  await millrace.withFile(history, 'fx', 'import')
  await spend(ask)
  const path =
    '/v1/accounts/wallet:ada/statement?currency=EUR&in=JPY&from=2026-03-02T00:00:00Z&through=2026-03-03T23:59:59.999Z'
  await until('statements have read it all', async () => (await ask('GET', path)).body.closing === '8999')
  const own = (await ask('GET', path)).body
  assert.deepEqual(own.converted, { currency: 'JPY', rates: 'own', opening: '0', closing: '14398', difference: '1000' })
  const closing = (await ask('GET', `${path}&rates=closing`)).body
  assert.deepEqual(closing.converted, {
    currency: 'JPY',
    rates: 'closing',
    opening: '0',
    closing: '14398',
    difference: '0',
  })
  const creditsOf = ({ data }: typeof own) => {
    const lines: { converted: { debit: string; credit: string; rate: { effective_at: string } } }[] = Object(data)
    return lines.map(({ converted: { debit, credit, rate } }) => [debit, credit, rate.effective_at.slice(0, 10)])
  }
  assert.deepEqual(creditsOf(own), [
    ['0', '15000', '2026-03-02'],
    ['1602', '0', '2026-03-03'],
  ])
  assert.deepEqual(creditsOf(closing), [
    ['0', '16000', '2026-03-03'],
    ['1602', '0', '2026-03-03'],
  ])
  const [head, opening, first, , end] = (await csvOf(platform, `${path}&rates=closing`)).split('\r\n')
  assert.match(
    head ?? '',
    /,balance,converted_currency,converted_debit,converted_credit,converted_balance,rate_numerator,/,
  )
  assert.match(opening ?? '', /^opening,.*,0,JPY,,,0,,,,$/)
  assert.match(first ?? '', /,10000,JPY,0,16000,,160,1,ecb,2026-03-03T00:00:00.000Z$/)
  assert.match(end ?? '', /^closing,.*,8999,JPY,,,14398,,,,$/)
  const shown = await millrace(
    'statement',
    'wallet:ada',
    '--currency',
    'EUR',
    '--to',
    '2026-03-03',
    '--in',
    'JPY',
    '--rates',
    'closing',
  )
  assert.match(shown.out, /entry\/c-1 .* 1602 JPY debit\n.*closing .* 14398 JPY$/)

  // A rate that is missing is told before a line is sent.
  const missing = await platform.request('GET', path.replace('JPY', 'GBP'), { headers: { accept: 'text/csv' } })
  assert.deepEqual([missing.status, missing.body.code], [422, 'rate_unknown'])
  for (const query of ['&rates=average', '&from=yesterday']) {
    assert.equal((await ask('GET', `${path}${query}`)).status, 400, query)
  }
  for (const args of [
    ['statement'],
    ['statement', 'wallet:ada'],
    ['statement', 'wallet:ada', '--currency', 'XXX'],
    ['statement', 'wallet:ada', '--currency', 'EUR', '--from', 'yesterday'],
    ['statement', 'wallet:ada', '--currency', 'EUR', '--in', 'GBP'],
    ['statement', 'wallet:ada', '--currency', 'EUR', '--rates', 'average'],
  ]) {
    const { code, out, err } = await failing(() => millrace(...args))
    assert.deepEqual([code, out, err.split('\n').length], [2, '', 1], args.join(' '))
  }
})

test('gains that were told in another base are not counted twice', async (t) => {
  const { ask, millrace } = await setUp(t)
  await millrace.withFile(history, 'fx', 'import')
  await fund(ask, 100_00)
  const body = {
    id: 'c-1',
    debit: 'wallet:ada',
    credit: 'wallet:ada',
    currency: 'EUR',
    amount: 50_00,
    to_currency: 'USD',
  }
  await ask('POST', '/v1/ledger/conversions', { ...body, effective_at: noon('2026-03-02') })
  for (const base of ['EUR', 'USD']) {
    const { positions } = (await ask('POST', '/v1/ledger/revaluations', { day: '2026-03-03', base })).body
    // 60 dollars were owed for 50 euros, and are worth 48; 50 euros were had for 60 dollars, and are worth 62.50.
    const [{ unrealised, repeated }] = Object(positions)
    assert.deepEqual([unrealised, repeated], [base === 'EUR' ? '200' : '250', false])
  }
  type Line = { account: string; currency: string; converted?: { balance: string } }
  const gainsIn = async (base: string) => {
    const path = `/v1/trial-balance?in=${base}&effective_at=2026-03-03T23:59:59.999Z`
    const { accounts, converted } = (await ask('GET', path)).body
    const lines: Line[] = Object(accounts)
    const sum = (name: RegExp) =>
      lines.reduce((all, line) => (name.test(line.account) ? all + BigInt(line.converted?.balance ?? '0') : all), 0n)
    return [sum(/^fx:position:/), sum(/^fx:valuation:/), sum(/^fx:unrealised$/), Object(converted).difference]
  }
  await until('statements have read it all', async () => (await gainsIn('USD'))[2] === 250n)
  assert.deepEqual(await gainsIn('EUR'), [200n, 200n, 200n, '0'])
  assert.deepEqual(await gainsIn('USD'), [250n, 250n, 250n, '0'])
})

/** 100 EUR on the one day, and 10.01 of them turned into yen on the next. */
async function spend(ask: Ask): Promise<void> {
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'wallet:ada', type: 'liability', floor: 0 })
  const transfers = [{ debit: 'cash', credit: 'wallet:ada', amount: 100_00, currency: 'EUR' }]
  await ask('POST', '/v1/ledger/entries', { id: 'topup', transfers, effective_at: noon('2026-03-02') })
  const sides = { debit: 'wallet:ada', credit: 'wallet:ada', currency: 'EUR', amount: 1001, to_currency: 'JPY' }
  const done = await ask('POST', '/v1/ledger/conversions', { id: 'c-1', ...sides, effective_at: noon('2026-03-03') })
  assert.equal(done.status, 201, JSON.stringify(done.body))
}

async function csvOf(platform: TestPlatform, path: string): Promise<string> {
  const { status, headers, body } = await platform.request('GET', path, { headers: { accept: 'text/csv' } })
  assert.deepEqual([status, headers['content-type']], [200, 'text/csv; charset=utf-8'])
  return String(body.text)
}

type Run = { readonly code: number; readonly out: string; readonly err: string }
/** What is wrong with the arguments themselves is said before there is a call. */
async function failing(run: () => Promise<Run>): Promise<Run> {
  try {
    return await run()
  } catch (error) {
    return { code: 2, out: '', err: error instanceof Error ? error.message : '' }
  }
}
