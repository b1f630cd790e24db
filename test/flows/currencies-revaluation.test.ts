import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { verifyLedger } from '#ledger'
import { balancesOf, fund, history, noon, setUp } from './currencies.ts'
import type { Body } from './platform.ts'

test('positions are revalued, realised and not, and the books reconcile to the unit', async (t) => {
  const { ask, millrace, platform } = await setUp(t)
  await millrace.withUrl(t, history, 'fx', 'import')
  await fund(ask, 1_000_000)
  const convert = async (id: string, currency: string, amount: number, to: string, day: string, own: object = {}) => {
    const sides = { debit: 'wallet:ada', credit: 'wallet:ada', currency, amount, to_currency: to }
    const answer = await ask('POST', '/v1/ledger/conversions', { id, ...sides, ...own, effective_at: noon(day) })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
  }
  // She has us owe her dollars and yen, and then turns some of the dollars into yen.
  await convert('c-1', 'EUR', 100_00, 'USD', '2026-03-02')
  await convert('c-2', 'EUR', 50_00, 'JPY', '2026-03-02')
  await convert('c-3', 'USD', 30_00, 'JPY', '2026-03-03')

  const first = (await ask('POST', '/v1/ledger/revaluations', { day: '2026-03-02' })).body
  assert.deepEqual(gainsOf(first), [
    ['JPY', '-7500', '0', '0', null, null],
    ['USD', '-12000', '0', '0', null, null],
  ])
  const second = (await ask('POST', '/v1/ledger/revaluations', { day: '2026-03-03' })).body
  // 30 USD bought back for 24 EUR had brought 25; the 90 left brought 75 and are worth 72. 3750 more yen are owed for 24 EUR.
  assert.deepEqual(gainsOf(second), [
    ['JPY', '-11340', '0', '312', null, 'entry/revaluation/EUR/2026-03-03/JPY/unrealised'],
    [
      'USD',
      '-9000',
      '100',
      '300',
      'entry/revaluation/EUR/2026-03-03/USD/realised',
      'entry/revaluation/EUR/2026-03-03/USD/unrealised',
    ],
  ])
  const again = (await ask('POST', '/v1/ledger/revaluations', { day: '2026-03-03' })).body
  assert.deepEqual(gainsOf(again), gainsOf(second))
  assert.ok(Object(again.positions).every(({ repeated }: { repeated: boolean }) => repeated))
  const earlier = (await ask('POST', '/v1/ledger/revaluations', { day: '2026-03-02' })).body
  assert.deepEqual([earlier.status, earlier.code, earlier.day], [409, 'revaluation_passed', '2026-03-03'])

  // As the next day began, the unrealised was undone.
  await until('balances have read it all', async () => (await balancesOf(platform, 'fx:unrealised')).EUR === '0')
  assert.deepEqual(await balancesOf(platform, 'fx:realised'), { EUR: '100' })
  const path = `/v1/trial-balance?in=EUR&effective_at=2026-03-03T23:59:59.999Z`
  await until('statements have read it all', async () => reconciles((await ask('GET', path)).body))

  const { accounts, converted, totals } = (await ask('GET', path)).body
  assert.ok(Object(totals).every(({ difference }: { difference: string }) => difference === '0'))
  // Positions and what revaluation made of them come to nothing: what they are worth is in the gains.
  assert.deepEqual(reconciliationOf(accounts), { positions: 712n, valuations: 712n, gains: 712n })
  assert.deepEqual([Object(converted).currency, Object(converted).difference], ['EUR', '0'])
  const { balances } = (await ask('GET', '/v1/accounts/wallet:ada/balance?in=EUR&effective_at=2026-03-03T23:59:59Z'))
    .body
  const inEuros = Object(balances).map(({ currency, converted: line }: Line) => [
    currency,
    line.balance,
    line.rate?.numerator,
  ])
  assert.deepEqual(inEuros, [
    ['EUR', '-15000', undefined],
    ['JPY', '7088', '1'],
    ['USD', '7200', '4'],
  ])
  // A statement shows each line at the rate of its day; what rates have changed since is the difference, page by page.
  const statement = '/v1/accounts/wallet:ada/statement?currency=JPY&in=EUR&limit=1&through=2026-03-03T23:59:59Z'
  const page = (await ask('GET', statement)).body
  const rest = (await ask('GET', `${statement}&cursor=${page.next_cursor}`)).body
  const own = { currency: 'EUR', rates: 'own' }
  assert.deepEqual(page.converted, { ...own, opening: '0', closing: '5000', difference: '0' })
  assert.deepEqual(rest.converted, { ...own, opening: '5000', closing: '7088', difference: '-312' })
  const lines: Line[] = [...Object(page.data), ...Object(rest.data)]
  assert.deepEqual(
    lines.map(({ converted: { debit, credit, rate } }) => [debit, credit, rate?.denominator]),
    [
      ['0', '5000', '150'],
      ['0', '2400', '160'],
    ],
  )

  const unknown = (await ask('GET', '/v1/trial-balance?in=GBP&effective_at=2026-03-03T23:59:59Z')).body
  assert.deepEqual([unknown.status, unknown.code, unknown.to], [422, 'rate_unknown', 'GBP'])

  // What a revaluation has booked is the next one's to put right.
  const byHand = { id: 'by-hand', reverses: 'entry/revaluation/EUR/2026-03-03/USD/realised' }
  assert.deepEqual((await ask('POST', '/v1/ledger/entries', byHand)).body.field, 'reverses')

  // What was booked late, and what was reversed, is taken up by the next day; on the command line it is the same.
  await convert('c-4', 'EUR', 10_00, 'USD', '2026-03-02', { rate: '1.5' })
  assert.equal(
    (await ask('POST', '/v1/ledger/entries', { id: 'undo', reverses: 'entry/c-2', effective_at: noon('2026-03-03') }))
      .status,
    201,
  )
  const next = await millrace('fx', 'revalue', '--at', '2026-03-04')
  assert.deepEqual([next.code, next.err], [0, ''])
  assert.match(
    next.out,
    /-105\.00 USD\s+-85\.56 EUR\s+-84\.00 EUR\s+-0\.56 EUR\s+1\.56 EUR\s+entry\/revaluation\/EUR\/2026-03-04\/USD\/realised, /,
  )
  assert.deepEqual((await verifyLedger(platform.app.databases.read)).findings, [])
  await until('all reconciles again', async () =>
    reconciles((await ask('GET', '/v1/trial-balance?in=EUR&effective_at=2026-03-04T23:59:59.999Z')).body),
  )
})

type Line = { currency: string; converted: ConvertedLine }
type ConvertedLine = {
  balance: string
  debit: string
  credit: string
  rate: { numerator: string; denominator: string } | null
}

function gainsOf({ positions }: Body) {
  type Source = string | null
  type Told = { currency: string; quantity: string; realised: string; unrealised: string } & {
    realised_source: Source
    unrealised_source: Source
  }
  const told: Told[] = Object(positions)
  return told.map(({ currency, quantity, realised, unrealised, realised_source, unrealised_source }) => [
    currency,
    quantity,
    realised,
    unrealised,
    realised_source,
    unrealised_source,
  ])
}

type Shown = { account: string; converted: { balance: string } }

function reconciliationOf(accounts: unknown) {
  const lines: Shown[] = Object(accounts)
  const sum = (name: RegExp): bigint =>
    lines.reduce((all, { account, converted }) => (name.test(account) ? all + BigInt(converted.balance) : all), 0n)
  return { positions: sum(/^fx:position:/), valuations: sum(/^fx:valuation:/), gains: sum(/^fx:(?:un)?realised$/) }
}

function reconciles({ accounts }: Body): boolean {
  const { positions, valuations, gains } = reconciliationOf(accounts)
  return gains !== 0n && positions === valuations && valuations === gains
}
