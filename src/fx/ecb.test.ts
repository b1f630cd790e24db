import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ecb } from './ecb.ts'
import { RatesUnreadable, readRates } from './format.ts'

const readEcb = (text: string) => readRates(text, [ecb])

const history = `Date,USD,JPY,CYP,
2026-11-20,1.0812,162.35,N/A,
2007-12-31,1.4721,164.93,0.585274,
`
const lastDay = `Date, USD, JPY, GBP, \n21 November 2026, 1.0812, 162.35, 0.8344, \n`

test('the history of the ECB is read, day by day', () => {
  const { rates, unknown } = readEcb(history)
  assert.deepEqual(
    rates.map(({ base, currency, day, rate }) => `${base} ${currency} ${day} ${rate}`),
    [
      'EUR USD 2026-11-20 1.0812',
      'EUR JPY 2026-11-20 162.35',
      'EUR USD 2007-12-31 1.4721',
      'EUR JPY 2007-12-31 164.93',
    ],
  )
  assert.deepEqual(unknown, ['CYP'])
})

test('the last day, with its blanks and its month in words, is the same', () => {
  assert.deepEqual(
    readEcb(lastDay).rates.map(({ currency, day, rate }) => [currency, day, rate]),
    [
      ['USD', '2026-11-21', '1.0812'],
      ['JPY', '2026-11-21', '162.35'],
      ['GBP', '2026-11-21', '0.8344'],
    ],
  )
})

test('line ends of Windows and a mark at the beginning change nothing', () => {
  assert.deepEqual(readEcb(`\uFEFF${history.replaceAll('\n', '\r\n')}`), readEcb(history))
})

const broken: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ['nothing', '', /first line must be/],
  ['a page', '<html>', /first line must be/],
  ['a word for a currency', 'Date,Dollar\n', /not Dollar/],
  ['no day', 'Date,USD\nyesterday,1.08\n', /line 2 must begin with a day/],
  ['a day that is none', 'Date,USD\n2026-02-30,1.08\n', /line 2 must begin with a day/],
  ['a month that is none', 'Date,USD\n1 Brumaire 2026,1.08\n', /line 2 must begin with a day/],
  ['a line that is cut off', 'Date,USD,JPY\n2026-11-20,1.08\n', /line 2 has 1 rates, and the first line names 2/],
  ['a rate of nothing', 'Date,USD\n2026-11-20,0.0\n', /line 2, USD: rate must be/],
  ['a rate below zero', 'Date,USD\n2026-11-20,-1\n', /line 2, USD: rate must be/],
  ['a float', 'Date,USD\n2026-11-20,1e3\n', /line 2, USD: rate must be/],
]
for (const [what, text, says] of broken) {
  test(`${what} is not taken, and it is said why`, () => {
    assert.throws(
      () => readEcb(text),
      (error) => error instanceof RatesUnreadable && says.test(error.message),
    )
  })
}
