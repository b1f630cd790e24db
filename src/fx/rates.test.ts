import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { parseCurrency } from '#kernel/currency'
import { beginOf, dayOf } from '#kernel/day'
import type { DatedRate } from './dated-rate.ts'
import type { NoRate, Rate } from './rates.ts'

const north = { tenant: 'north', mode: 'test' } as const
const at = (day: string, time = '12:00'): number => Date.parse(`${day}T${time}:00Z`)

test('the rate of a day is the last on or before it, for a week', async (t) => {
  const app = await openApp(t)
  await importAll(app, [dated('EUR', 'USD', '2026-11-13', '1.05'), dated('EUR', 'USD', '2026-11-16', '1.08')])
  const rate = async (day: string, time?: string) =>
    shown(await app.app.rates.rateAt(north, { from: 'EUR', to: 'USD', at: at(day, time) }))
  assert.equal(await rate('2026-11-12', '23:59'), undefined)
  assert.equal(await rate('2026-11-13', '00:00'), '21/20 ecb 2026-11-13')
  assert.equal(await rate('2026-11-15', '23:59'), '21/20 ecb 2026-11-13')
  assert.equal(await rate('2026-11-16', '00:00'), '27/25 ecb 2026-11-16')
  assert.equal(await rate('2026-11-23', '23:59'), '27/25 ecb 2026-11-16')
  assert.equal(await rate('2026-11-24', '00:00'), 'none since 2026-11-16')
})

test('inverses and crosses are exact; a cross is of one day', async (t) => {
  const app = await openApp(t)
  await importAll(app, [
    dated('EUR', 'USD', '2026-11-19', '1.08'),
    dated('EUR', 'JPY', '2026-11-19', '162.35'),
    dated('EUR', 'USD', '2026-11-20', '1.1'),
  ])
  const ask = (from: string, to: string) => ({ from, to, at: at('2026-11-20') })
  const rates = await app.app.rates.ratesAt(north, [
    ask('USD', 'EUR'),
    ask('USD', 'JPY'),
    ask('JPY', 'USD'),
    ask('USD', 'GBP'),
    ask('USD', 'USD'),
  ])
  assert.deepEqual(rates.map(shown), [
    '10/11 ecb 2026-11-20',
    '16235/108 ecb 2026-11-19',
    '108/16235 ecb 2026-11-19',
    undefined,
    '1/1 same 2026-11-20',
  ])
})

test('a tenant’s own rates come before those of all, and are nobody else’s', async (t) => {
  const app = await openApp(t)
  await importAll(app, [dated('EUR', 'USD', '2026-11-20', '1.1')])
  const own = { source: 'treasury', rates: [dated('EUR', 'USD', '2026-11-18', '1.2')], isReplacing: false }
  await app.app.recordRates({ owner: north, ...own })
  const ask = { from: 'EUR', to: 'USD', at: at('2026-11-20') }
  assert.equal(shown(await app.app.rates.rateAt(north, ask)), '6/5 treasury 2026-11-18')
  for (const stranger of [
    { tenant: 'south', mode: 'test' },
    { tenant: 'north', mode: 'live' },
  ]) {
    assert.equal(shown(await app.app.rates.rateAt(stranger, ask)), '11/10 ecb 2026-11-20')
  }
})

test('importing again changes nothing; a changed rate is refused whole, or replaced and told', async (t) => {
  const app = await openApp(t)
  const days = Array.from({ length: 28 }, (_, n) => `2026-02-${String(n + 1).padStart(2, '0')}`)
  const rates = days.map((day) => dated('EUR', 'USD', day, '1.1'))
  assert.deepEqual(await importAll(app, rates), { added: 28, replaced: 0, unchanged: 0, changed: [] })
  assert.deepEqual(await importAll(app, rates), { added: 0, replaced: 0, unchanged: 28, changed: [] })
  // As a number it is the same.
  assert.equal((await importAll(app, [dated('EUR', 'USD', '2026-02-01', '1.100')])).unchanged, 1)

  const other = [dated('EUR', 'JPY', '2026-02-01', '160'), dated('EUR', 'USD', '2026-02-02', '1.2')]
  const change = { base: 'EUR', currency: 'USD', day: '2026-02-02', before: '1.1', after: '1.2' }
  assert.deepEqual(await importAll(app, other), { added: 0, replaced: 0, unchanged: 0, changed: [change] })
  assert.deepEqual(await app.rows('select count(*)::int as n from fx.rate'), [{ n: 28 }])
  const replaced = await importAll(app, other, true)
  assert.deepEqual(replaced, { added: 1, replaced: 1, unchanged: 0, changed: [] })

  const told = await app.rows<{ type: string; data: unknown }>(
    `select type, event::json -> 'data' as data from log.record where topic = 'fx' order by "offset"`,
  )
  assert.deepEqual(told, [
    {
      type: 'fx.rates_recorded',
      data: { source: 'ecb', rates: 28, from: '2026-02-01', through: '2026-02-28' },
    },
    { type: 'fx.rates_recorded', data: { source: 'ecb', rates: 1, from: '2026-02-01', through: '2026-02-01' } },
    { type: 'fx.rate_replaced', data: { source: 'ecb', ...change } },
  ])
})

test('a file that is recorded in parts is taken whole or not at all', async (t) => {
  const app = await openApp(t)
  const days = Array.from({ length: 5_500 }, (_, n) => dayOf(beginOf('2010-01-01') + n * 86_400_000))
  const last = days.slice(-1).map((day) => dated('EUR', 'USD', day, '1.1'))
  await importAll(app, last)
  const { added, changed } = await importAll(
    app,
    days.map((day) => dated('EUR', 'USD', day, '1.2')),
  )
  assert.deepEqual([added, changed.length], [0, 1])
  assert.deepEqual(await app.rows('select count(*)::int as n from fx.rate'), [{ n: 1 }])
  const all = days.map((day) => dated('EUR', 'USD', day, '1.2'))
  assert.deepEqual(await importAll(app, all, true), { added: 5_499, replaced: 1, unchanged: 0, changed: [] })
})

function importAll({ app }: AppUnderTest, rates: readonly DatedRate[], isReplacing = false) {
  return app.recordRates({ owner: 'installation', source: 'ecb', rates, isReplacing })
}

function dated(base: string, currency: string, day: string, rate: string): DatedRate {
  const [known, other] = [parseCurrency(base), parseCurrency(currency)]
  assert.ok(known && other)
  return { base: known, currency: other, day, rate }
}

function shown(rate: Rate | NoRate): string | undefined {
  if (!('numerator' in rate)) return rate.lastDay && `none since ${rate.lastDay}`
  const day = new Date(rate.effectiveAt).toISOString().slice(0, 10)
  return `${rate.numerator}/${rate.denominator} ${rate.source} ${day}`
}
