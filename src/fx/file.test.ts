import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zipOf } from '#harness/zip'
import { ecb } from './ecb.ts'
import { readRateFile } from './file.ts'
import { checkedRate, type RateFormat, RatesUnreadable, readRates } from './format.ts'

const history = 'Date,USD,CYP,\n2026-11-20,1.0812,N/A,\n2026-11-19,1.08,N/A,\n'
const own = 'day,base,currency,rate\n2026-11-20,EUR,USD,1.0812\n2026-11-20, USD, JPY, 150.15\n'

test('a file of the ECB is known by its first line, in its archive or not', () => {
  for (const bytes of [
    Buffer.from(history),
    zipOf('eurofxref-hist.csv', history),
    zipOf('eurofxref-hist.csv', history, 0),
  ]) {
    const { source, rates, unknown } = readRateFile(bytes)
    assert.deepEqual([source, rates.length, unknown], ['ecb', 2, ['CYP']])
  }
})

test('rates of anybody come a line each, and somebody has to say whose they are', () => {
  const { source, rates } = readRateFile(Buffer.from(own))
  assert.equal(source, undefined)
  assert.deepEqual(
    rates.map(({ day, base, currency, rate }) => [day, base, currency, rate]),
    [
      ['2026-11-20', 'EUR', 'USD', '1.0812'],
      ['2026-11-20', 'USD', 'JPY', '150.15'],
    ],
  )
})

/** As a bank might publish them: how many of ours for a hundred of theirs. */
const bank: RateFormat = {
  source: 'bank',
  firstLine: 'Kurse zum,USD',
  isIn: ({ head }) => head[0] === 'Kurse zum',
  read: ({ head: [, ...columns], rows }) => ({
    rates: rows.flatMap(({ number, cells: [day = '', ...cells] }) =>
      columns.map((base, column) => {
        return checkedRate(number, { base, currency: 'CHF', day, rate: (cells[column] ?? '').replace(/^/, '0.') })
      }),
    ),
    unknown: [],
  }),
}

test('another source is another format beside the others', () => {
  const { source, rates } = readRates('Kurse zum,USD,EUR\n2026-11-20,8912,9415\n', [ecb, bank])
  assert.equal(source, 'bank')
  assert.deepEqual(
    rates.map(({ base, currency, rate }) => `${base} ${currency} ${rate}`),
    ['USD CHF 0.8912', 'EUR CHF 0.9415'],
  )
})

const zip = zipOf('eurofxref-hist.csv', history)
const broken: readonly (readonly [what: string, bytes: Buffer, says: RegExp])[] = [
  [
    'a file of another kind',
    Buffer.from('Currency;Rate\n'),
    /first line must be as in Date,USD,JPY .*, or day,base,currency,rate/,
  ],
  ['nothing', Buffer.from(''), /first line must be/],
  ['an archive that is cut off', zip.subarray(0, zip.length - 30), /cut off/],
  ['an archive of two files', withFiles(zip, 2), /of 2 files/],
  ['an archive with a flipped bit', flipped(zip, 60), /damaged/],
  ['a line that is cut off', Buffer.from('day,base,currency,rate\n2026-11-20,EUR,USD\n'), /line 2 must have day,base/],
  ['a float', Buffer.from('day,base,currency,rate\n2026-11-20,EUR,USD,1e3\n'), /line 2, USD: rate must be/],
  [
    'a currency for itself',
    Buffer.from('day,base,currency,rate\n2026-11-20,EUR,EUR,1\n'),
    /line 2, EUR: currency must/,
  ],
  ['an unknown currency', Buffer.from('day,base,currency,rate\n2026-11-20,EUR,ABC,1\n'), /line 2, ABC: currency must/],
]
for (const [what, bytes, says] of broken) {
  test(`${what} is not taken, and it is said what would be right`, () => {
    assert.throws(
      () => readRateFile(bytes),
      (error) => error instanceof RatesUnreadable && says.test(error.message),
    )
  })
}

function withFiles(archive: Buffer, files: number): Buffer {
  const other = Buffer.from(archive)
  other.writeUInt16LE(files, other.length - 12)
  return other
}

function flipped(archive: Buffer, at: number): Buffer {
  const other = Buffer.from(archive)
  other.writeUInt8(other.readUInt8(at) ^ 1, at)
  return other
}
