import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AppUnderTest, openApp } from '#harness/app'
import { parseCurrency } from '#kernel/currency'
import { beginOf } from '#kernel/day'
import type { Whose } from './book-sql.ts'
import { type ConversionAsked, convert, postingsOf } from './conversion.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const days = ['2026-03-02', '2026-03-03', '2026-03-04']
/** Units for a euro, by day. */
const rates: Readonly<Record<string, readonly string[]>> = {
  USD: ['1.0812', '1.1', '1.0333'],
  JPY: ['162.35', '150.07', '171.9'],
  KWD: ['0.3337', '0.34', '0.3129'],
}

const currency = fc.constantFrom('EUR', 'USD', 'JPY', 'KWD')
const conversions = fc.record({
  pair: fc.tuple(currency, currency).filter(([a, b]) => a !== b),
  amount: fc.bigInt({ min: 100n, max: 10n ** 9n }),
  given: fc.constantFrom('debit' as const, 'credit' as const),
  place: fc.nat(days.length - 1),
  isReversed: fc.nat(9).map((n) => n === 0),
})

test('after every revaluation positions, gains and valuations reconcile, however much was converted meanwhile', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const all = fc.sample(conversions, { seed: 41, numRuns: 150 })
  for (const [n, day] of days.entries()) {
    // Those of earlier days among them come late, and two processes book them at once.
    const part = all.slice(n * 50, n * 50 + 50)
    const booked = part.map((made, place) => book(place % 2 ? one : other, `c-${n}-${place}`, made, n))
    assert.deepEqual([...new Set((await Promise.all(booked)).flat())], ['done'])
    // Both revalue; each currency is booked by one of them.
    const [left, right] = await Promise.all([one, other].map((app) => revalue(app, whose, day)))
    assert.ok(left && right)
    assert.deepEqual(left.map(figures), right.map(figures))
    for (const [place, { isRepeated, source }] of left.entries()) {
      assert.notEqual(isRepeated, right[place]?.isRepeated, `${source} is booked once`)
    }
    await checkReconciled(one, day)
  }
  assert.deepEqual(await one.rows(UNBALANCED), [])
  const [{ n } = { n: 0 }] = await one.rows<{ n: number }>('select count(*)::int as n from ledger.revaluation')
  assert.equal(n, 9)
})

test('a revaluation that was reversed is booked again by the next, and whoever asks is told of their own positions only', async (t) => {
  const [one] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const made = {
    pair: ['EUR', 'USD'] as const,
    amount: 1_000_000n,
    given: 'debit' as const,
    place: 0,
    isReversed: false,
  }
  await book(one, 'c', made, 0)
  const [first] = await revalue(one, whose, '2026-03-03')
  assert.ok(first?.source)
  const reversal = { kind: 'reversal', id: 'undo', fingerprint: 'f', entry: first.source, effectiveAt: at(1) } as const
  await one.app.ledger.desk.submit({ ...whose, ...asked, commands: [reversal], isLinked: false })
  const [again] = await revalue(one, whose, '2026-03-03')
  assert.deepEqual([again?.isRepeated, again?.unrealised], [true, first.unrealised])
  await revalue(one, whose, '2026-03-04')
  await checkReconciled(one, '2026-03-04')
  assert.deepEqual(await revalue(one, { tenant: 'south', mode: 'test' }, '2026-03-04'), [])
  assert.deepEqual(await revalue(one, { tenant: 'main', mode: 'live' }, '2026-03-04'), [])
})

test('every conversion counts, however many there are, and several of one instant', async (t) => {
  const [one] = await twoApps(t)
  await one.rows(
    `insert into ledger.conversion (tenant, mode, source, effective_at, currencies, amounts)
     select 'main', 'test', 'entry/' || n, timestamptz '2026-03-02T00:00:00Z' + (n % 3) * interval '1 millisecond',
       array['EUR', 'USD'], array[100, -n] from generate_series(1, 12000) n`,
  )
  const [usd] = await revalue(one, whose, '2026-03-02')
  assert.deepEqual([usd?.quantity, usd?.cost], [-72_006_000n, -1_200_000n])
})

type Made = {
  readonly pair: readonly [string, string]
  readonly amount: bigint
  readonly given: 'debit' | 'credit'
  readonly place: number
  readonly isReversed: boolean
}

async function book({ app }: AppUnderTest, id: string, made: Made, dayMax: number): Promise<string[]> {
  const [from, to] = made.pair
  const effectiveAt = at(Math.min(made.place, dayMax))
  const rate = await app.rates.rateAt(whose, { from, to, at: effectiveAt })
  assert.ok(rate)
  const sides: ConversionAsked = {
    debit: { account: 'pot', currency: from },
    credit: { account: 'pot', currency: to },
    given: made.given,
    amount: made.amount,
  }
  const conversion = convert(sides, rate)
  const entry = { kind: 'entry', id, fingerprint: 'f', purpose: 'conversion', transfers: [], conditions: [] } as const
  const undo = { kind: 'reversal', id: `undo-${id}`, fingerprint: 'f', entry: `entry/${id}`, effectiveAt } as const
  const commands = [
    { ...entry, postings: postingsOf(conversion), conversion, effectiveAt },
    ...(made.isReversed ? [undo] : []),
  ]
  return (await app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: true })).map(({ status }) => status)
}

function revalue({ app }: AppUnderTest, of: Whose, day: string) {
  return app.revalue({ ...of, ...asked, base: 'EUR', day })
}

function figures({ currency: of, quantity, cost, value, realised, unrealised, source }: Revalued) {
  return { of, quantity, cost, value, realised, unrealised, source }
}
type Revalued = Awaited<ReturnType<typeof revalue>>[number]

/** From the postings alone, and the rates as they were published. */
async function checkReconciled(app: AppUnderTest, day: string): Promise<void> {
  const rows = await app.rows<{ account: string; currency: string; credit: string }>(BALANCES)
  const worth = (account: string, of: string, credit: bigint): bigint => {
    const rate = account.startsWith('fx:position:') && of !== 'EUR' ? rates[of]?.[days.indexOf(day)] : '1'
    assert.ok(rate)
    const decimals = { EUR: 2, USD: 2, JPY: 0, KWD: 3 }[of] ?? 0
    const [whole = '', fraction = ''] = rate.split('.')
    const numerator = credit * 10n ** BigInt(2 + fraction.length)
    return nearest(numerator, BigInt(whole + fraction) * 10n ** BigInt(decimals))
  }
  const sum = (name: RegExp): bigint =>
    rows
      .filter(({ account }) => name.test(account))
      .reduce((all, { account, currency: of, credit }) => all + worth(account, of, BigInt(credit)), 0n)
  const gains = sum(/^fx:(?:un)?realised$/)
  assert.equal(sum(/^fx:position:/), gains, day)
  assert.equal(-sum(/^fx:valuation:/), gains, day)
  assert.notEqual(gains, 0n)
}

/** Ties, which are to the even, do not come up at these rates but where nothing is left. */
function nearest(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator
  const rounded = (2n * size + denominator) / (2n * denominator)
  return numerator < 0n ? -rounded : rounded
}

const BALANCES = `select account, currency, (-sum(amount))::text as credit from ledger.posting
  where tenant = 'main' and mode = 'test' and account like 'fx:%' group by account, currency`
const UNBALANCED = `select tenant, mode, currency from ledger.posting group by 1, 2, 3 having sum(amount) <> 0`

function at(place: number): number {
  return beginOf(days[place] ?? '') + 12 * 60 * 60 * 1000
}

async function twoApps(t: Parameters<typeof openApp>[0]): Promise<[AppUnderTest, AppUnderTest]> {
  const one = await openApp(t)
  const other = await openApp(t, { url: one.url })
  const quotes = Object.entries(rates).flatMap(([code, of]) =>
    of.map((rate, place) => {
      const [base, known, day] = [parseCurrency('EUR'), parseCurrency(code), days[place]]
      assert.ok(base && known && day)
      return { base, currency: known, day, rate }
    }),
  )
  await one.app.recordRates({ owner: 'installation', source: 'ecb', quotes, isReplacing: false })
  return [one, other]
}
