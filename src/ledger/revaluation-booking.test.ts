import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AppUnderTest, openApp } from '#harness/app'
import { systemClock } from '#kernel/clock'
import { parseCurrency } from '#kernel/currency'
import { beginOf, dayOf } from '#kernel/day'
import { lockAccounts } from './account-sql.ts'
import type { Whose } from './book-sql.ts'
import { type ConversionAsked, convert, postingsOf } from './conversion.ts'
import { countPositions, keepCounted } from './revaluation-positions.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const days = ['2026-03-02', '2026-03-03', '2026-03-04']
const bases = ['EUR', 'USD']
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

test('after every revaluation positions, gains and valuations reconcile in each base, however much was converted meanwhile', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const all = fc.sample(conversions, { seed: 41, numRuns: 150 })
  let expected = 0
  for (const [n, day] of days.entries()) {
    // Those of earlier days among them come late, and two processes book them at once.
    const part = all.slice(n * 50, n * 50 + 50)
    const booked = part.map((made, place) => book(place % 2 ? one : other, `c-${n}-${place}`, made, n))
    assert.deepEqual([...new Set((await Promise.all(booked)).flat())], ['done'])
    for (const base of bases) {
      // Both revalue; each currency is booked by one of them.
      const [left, right] = await Promise.all([one, other].map((app) => revalue(app, whose, day, base)))
      assert.ok(left && right)
      assert.deepEqual(left.map(figures), right.map(figures))
      for (const [place, { isRepeated, currency: of, ...sources }] of left.entries()) {
        const isBooked = (sources.realisedSource ?? sources.unrealisedSource) !== undefined
        assert.equal(isRepeated !== right[place]?.isRepeated, isBooked, `${of} is booked once`)
        expected += isBooked ? 1 : 0
      }
    }
    for (const base of bases) await checkReconciled(one, day, base)
  }
  assert.deepEqual(await one.rows(UNBALANCED), [])
  const [counts] = await one.rows<{ n: number; told: number }>(
    `select count(*)::int as n,
       (select count(*)::int from log.record where type = 'ledger.position_revalued') as told from ledger.revaluation`,
  )
  assert.deepEqual(counts, { n: expected, told: expected })
})

test('as the next day begins nothing is left of what was unrealised, and all of what was realised', async (t) => {
  const [one] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const pair = ['EUR', 'USD'] as const
  await book(one, 'c', { pair, amount: 1_000_000n, given: 'debit', place: 0, isReversed: false }, 0)
  await book(one, 'd', { pair: ['USD', 'EUR'], amount: 500_000n, given: 'debit', place: 1, isReversed: false }, 1)
  const [usd] = await revalue(one, whose, '2026-03-03')
  assert.ok(usd)
  assert.notEqual(usd.realised, 0n)
  assert.notEqual(usd.unrealised, 0n)
  const gains = (until: number) =>
    one.rows(
      `select account, (-sum(amount))::text as gain from ledger.posting
       where account in ('fx:realised', 'fx:unrealised') and effective_at <= to_timestamp($1::float8 / 1000.0)
       group by account order by account`,
      [until],
    )
  const [realised, unrealised] = [`${usd.realised}`, `${usd.unrealised}`]
  assert.deepEqual(await gains(beginOf('2026-03-04') - 1), [
    { account: 'fx:realised', gain: realised },
    { account: 'fx:unrealised', gain: unrealised },
  ])
  assert.deepEqual(await gains(beginOf('2026-03-04')), [
    { account: 'fx:realised', gain: realised },
    { account: 'fx:unrealised', gain: '0' },
  ])
  const [undone] = await one.rows(`select reversed_by from ledger.reversal where source = $1`, [
    usd.unrealisedSource ?? '',
  ])
  assert.deepEqual(undone, { reversed_by: `${usd.unrealisedSource}/reversal` })
})

test('a day is revalued when it is over', async (t) => {
  const [one] = await twoApps(t)
  await assert.rejects(revalue(one, whose, dayOf(systemClock.now())), /day must be over/)
})

test('a conversion that is reversed is taken up by the next, and everybody sees their own alone', async (t) => {
  const [one] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const pair = ['EUR', 'USD'] as const
  await book(one, 'c', { pair, amount: 1_000_000n, given: 'debit', place: 0, isReversed: false }, 0)
  await book(one, 'd', { pair: ['USD', 'EUR'], amount: 500_000n, given: 'debit', place: 1, isReversed: false }, 1)
  const [first] = await revalue(one, whose, '2026-03-03')
  assert.notEqual(first?.realised, 0n)
  assert.deepEqual(await revalue(one, whose, '2026-03-03'), [{ ...first, isRepeated: true }])
  const undo = { kind: 'reversal', id: 'undo', fingerprint: 'f', entry: 'entry/d', effectiveAt: at(1) } as const
  await one.app.ledger.desk.submit({ ...whose, ...asked, commands: [undo], isLinked: false })
  const [next] = await revalue(one, whose, '2026-03-04')
  // As if it had never been, but for what was realised by it.
  assert.deepEqual([next?.quantity, (next?.cost ?? 0n) - (next?.realisedTotal ?? 0n)], [-1_081_200n, -1_000_000n])
  await checkReconciled(one, '2026-03-04', 'EUR')
  assert.deepEqual(await revalue(one, { tenant: 'south', mode: 'test' }, '2026-03-04'), [])
  assert.deepEqual(await revalue(one, { tenant: 'main', mode: 'live' }, '2026-03-04'), [])
})

test('every conversion counts, however many there are, and several of one instant', async (t) => {
  const [one] = await twoApps(t)
  await fill(one, '2026-03-02')
  const [usd] = await revalue(one, whose, '2026-03-02')
  assert.deepEqual([usd?.quantity, usd?.cost], [-72_006_000n, -1_200_000n])
})

test('a revaluation goes on from the one before it, and from the beginning where something came late', async (t) => {
  const [one] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  await fill(one, '2026-03-02')
  await revalue(one, whose, '2026-03-02')
  const kept = () => one.rows('select day::text, quantity::text from ledger.position order by day')
  assert.deepEqual(await kept(), [{ day: '2026-03-02', quantity: '-72006000' }])
  const made = { pair: ['EUR', 'USD'] as const, amount: 100n, given: 'debit' as const, isReversed: false }
  await book(one, 'c', { ...made, place: 1 }, 1)
  // Those of the first instant of a day are of that day.
  await fill(one, '2026-03-03', 3)
  const counted = await countPositions(portsOf(one), { ...whose, base: 'EUR', day: '2026-03-03' })
  assert.equal(counted.trades, 4)
  const [usd] = await revalue(one, whose, '2026-03-03')
  assert.equal(usd?.quantity, -72_006_116n)
  assert.equal((await kept()).length, 2)

  await book(one, 'late', { ...made, place: 0 }, 0)
  assert.deepEqual(await kept(), [])
  assert.equal((await countPositions(portsOf(one), { ...whose, base: 'EUR', day: '2026-03-04' })).trades, 12_005)
  const [all] = await revalue(one, whose, '2026-03-04')
  assert.equal(all?.quantity, -72_006_224n)
})

test('positions are not kept where a conversion came while they were counted', async (t) => {
  const [one] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'pot', type: 'liability' }, asked)
  const made = { pair: ['EUR', 'USD'] as const, amount: 100n, given: 'debit' as const, place: 0, isReversed: false }
  await book(one, 'c-1', made, 0)
  const valuation = { ...whose, base: 'EUR', day: '2026-03-02' }
  const counted = await countPositions(portsOf(one), valuation)
  await book(one, 'c-2', made, 0)
  const keep = (what: typeof counted) =>
    one.databases.work.transaction({}, async (tx) => {
      await lockAccounts(tx)
      await keepCounted(tx, valuation, what)
    })
  await keep(counted)
  assert.deepEqual(await one.rows('select currency from ledger.position'), [])
  await keep(await countPositions(portsOf(one), valuation))
  assert.deepEqual(await one.rows('select currency from ledger.position'), [{ currency: 'USD' }])
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
  assert.ok('numerator' in rate)
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

function revalue({ app }: AppUnderTest, of: Whose, day: string, base = 'EUR') {
  return app.revalue({ ...of, ...asked, base, day })
}

function portsOf({ app, databases }: AppUnderTest) {
  return { read: databases.read, ratesAt: app.rates.ratesAt }
}

/** Thousands, as if they had been converted at the very beginning of a day. */
function fill(one: AppUnderTest, day: string, count = 12_000) {
  return one.rows(
    `insert into ledger.conversion (tenant, mode, source, effective_at, currencies, amounts)
     select 'main', 'test', 'entry/' || $1 || '/' || n, $1::timestamptz + (n % 3) * interval '1 millisecond',
       array['EUR', 'USD'], array[100, -n] from generate_series(1, $2::int) n`,
    [`${day}T00:00:00Z`, count],
  )
}

function figures({ isRepeated: _, rate: __, ...rest }: Revalued) {
  return rest
}
type Revalued = Awaited<ReturnType<typeof revalue>>[number]

/** From the postings alone, as they were at the end of the day, and the rates as they were published. */
async function checkReconciled(app: AppUnderTest, day: string, base: string): Promise<void> {
  const rows = await app.rows<{ account: string; currency: string; credit: string }>(BALANCES, [
    beginOf(day) + 86_400_000 - 1,
  ])
  const own = rows.filter(({ account, currency: of }) => account.startsWith('fx:position:') || of === base)
  const sum = (name: RegExp): bigint =>
    own
      .filter(({ account }) => name.test(account))
      .reduce((all, { currency: of, credit }) => all + worth(BigInt(credit), of, base, days.indexOf(day)), 0n)
  const gains = sum(/^fx:(?:un)?realised$/)
  assert.equal(sum(/^fx:position:/), gains, `${day} in ${base}`)
  assert.equal(-sum(/^fx:valuation:/), gains, `${day} in ${base}`)
  assert.notEqual(gains, 0n)
}

function worth(amount: bigint, of: string, base: string, place: number): bigint {
  if (of === base) return amount
  // Both for a euro, in digits without a point.
  const [[from, fromDigits], [to, toDigits]] = [digitsOf(of, place), digitsOf(base, place)]
  const numerator = amount * to * 10n ** BigInt(fromDigits + decimals(base))
  return nearest(numerator, from * 10n ** BigInt(toDigits + decimals(of)))
}

function digitsOf(code: string, place: number): [bigint, number] {
  const [whole = '', fraction = ''] = (code === 'EUR' ? '1' : (rates[code]?.[place] ?? '')).split('.')
  assert.notEqual(whole, '')
  return [BigInt(whole + fraction), fraction.length]
}

function decimals(code: string): number {
  return { EUR: 2, USD: 2, JPY: 0, KWD: 3 }[code] ?? 0
}

/** Half to even, worked out on the size. */
function nearest(numerator: bigint, denominator: bigint): bigint {
  const size = numerator < 0n ? -numerator : numerator
  const [whole, twice] = [size / denominator, 2n * (size % denominator)]
  const isUp = twice > denominator || (twice === denominator && whole % 2n === 1n)
  const rounded = isUp ? whole + 1n : whole
  return numerator < 0n ? -rounded : rounded
}

const BALANCES = `select account, currency, (-sum(amount))::text as credit from ledger.posting
  where tenant = 'main' and mode = 'test' and account like 'fx:%' and effective_at <= to_timestamp($1::float8 / 1000.0)
  group by account, currency`
const UNBALANCED = `select tenant, mode, currency from ledger.posting group by 1, 2, 3 having sum(amount) <> 0`

function at(place: number): number {
  return beginOf(days[place] ?? '') + 12 * 60 * 60 * 1000
}

async function twoApps(t: Parameters<typeof openApp>[0]): Promise<[AppUnderTest, AppUnderTest]> {
  const one = await openApp(t)
  const other = await openApp(t, { url: one.url })
  const published = Object.entries(rates).flatMap(([code, of]) =>
    of.map((rate, place) => {
      const [base, known, day] = [parseCurrency('EUR'), parseCurrency(code), days[place]]
      assert.ok(base && known && day)
      return { base, currency: known, day, rate }
    }),
  )
  await one.app.recordRates({ owner: 'installation', source: 'ecb', rates: published, isReplacing: false })
  return [one, other]
}
