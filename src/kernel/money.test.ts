import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Currency, currencies, exponentOf, parseCurrency } from './currency.ts'
import { InvariantViolation } from './invariant.ts'
import {
  add,
  allocate,
  compare,
  formatMoney,
  fromMinorNumber,
  isZero,
  type Money,
  money,
  multiplyRatio,
  negate,
  subtract,
  toMinorNumber,
} from './money.ts'

const minor = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n })
const weights = fc
  .array(fc.bigInt({ min: 0n, max: 10n ** 6n }), { minLength: 1, maxLength: 12 })
  .filter((list) => list.some((weight) => weight > 0n))

test('adding and subtracting the same amount changes nothing', () => {
  fc.assert(fc.property(minor, minor, (a, b) => same(subtract(add(eur(a), eur(b)), eur(b)), eur(a))))
})

test('an amount and its opposite make zero', () => {
  fc.assert(fc.property(minor, (a) => assert.ok(isZero(add(eur(a), negate(eur(a)))))))
})

test('comparing agrees with subtracting', () => {
  fc.assert(
    fc.property(minor, minor, (a, b) => {
      const difference = subtract(eur(a), eur(b)).minor
      assert.equal(compare(eur(a), eur(b)), difference === 0n ? 0 : difference > 0n ? 1 : -1)
    }),
  )
})

test('two currencies are never added, subtracted or compared', () => {
  for (const combine of [add, subtract, compare]) {
    assert.throws(() => combine(eur(1n), money(1n, currency('USD'))), InvariantViolation)
  }
})

test('a split sums to the whole, and no part is a unit or more from its exact share', () => {
  fc.assert(
    fc.property(minor, weights, (whole, list) => {
      const parts = allocate(eur(whole), list).map((part) => part.minor)
      const total = sum(list)
      assert.equal(sum(parts), whole)
      for (const [index, part] of parts.entries()) {
        const error = part * total - whole * (list[index] ?? 0n)
        assert.ok(error < total && error > -total)
      }
    }),
  )
})

test('a negative amount is split as its opposite is', () => {
  fc.assert(
    fc.property(minor, weights, (whole, list) => {
      assert.deepEqual(allocate(eur(-whole), list), allocate(eur(whole), list).map(negate))
    }),
  )
})

test('a weight of zero gets nothing', () => {
  fc.assert(
    fc.property(minor, weights, (whole, list) => {
      for (const [index, part] of allocate(eur(whole), list).entries()) {
        if (list[index] === 0n) assert.ok(isZero(part))
      }
    }),
  )
})

test('the units left over go to the largest remainders, to the earlier where they tie', () => {
  const split = (whole: bigint, ...list: bigint[]) => allocate(eur(whole), list).map((part) => part.minor)
  assert.deepEqual(split(100n, 1n, 1n, 1n), [34n, 33n, 33n])
  assert.deepEqual(split(5n, 1n, 1n), [3n, 2n])
  assert.deepEqual(split(10n, 1n, 5n, 1n), [2n, 7n, 1n])
  assert.deepEqual(split(101n, 30n, 70n), [30n, 71n])
})

test('weights that are negative, all zero or missing are a bug', () => {
  for (const list of [[], [0n], [0n, 0n], [2n, -1n]]) {
    assert.throws(() => allocate(eur(1n), list), InvariantViolation)
  }
})

const halves = [
  [5n, 1n, 10n, 0n],
  [15n, 1n, 10n, 2n],
  [25n, 1n, 10n, 2n],
  [35n, 1n, 10n, 4n],
  [26n, 1n, 10n, 3n],
  [24n, 1n, 10n, 2n],
  [-15n, 1n, 10n, -2n],
  [-25n, 1n, 10n, -2n],
  [-26n, 1n, 10n, -3n],
  [15n, 1n, -10n, -2n],
  [15n, -1n, -10n, 2n],
  [10_000n, 29n, 1_000n, 290n],
] as const

for (const [amount, numerator, denominator, expected] of halves) {
  test(`${amount} × ${numerator} ÷ ${denominator} is ${expected}`, () => {
    assert.equal(multiplyRatio(eur(amount), numerator, denominator).minor, expected)
  })
}

test('a product is off by half a unit at most, and by exactly half only to an even result', () => {
  const ratio = fc.bigInt({ min: -1_000n, max: 1_000n })
  fc.assert(
    fc.property(
      minor,
      ratio,
      ratio.filter((n) => n !== 0n),
      (a, n, d) => {
        const result = multiplyRatio(eur(a), n, d).minor
        const twice = abs(result * d - a * n) * 2n
        assert.ok(twice <= abs(d))
        if (twice === abs(d)) assert.equal(result % 2n, 0n)
      },
    ),
  )
})

test('a ratio without a denominator is a bug', () => {
  assert.throws(() => multiplyRatio(eur(1n), 1n, 0n), InvariantViolation)
})

const formats = [
  [1234n, 'EUR', '12.34 EUR'],
  [-5n, 'EUR', '-0.05 EUR'],
  [0n, 'EUR', '0.00 EUR'],
  [100n, 'JPY', '100 JPY'],
  [1n, 'KWD', '0.001 KWD'],
  [-123456n, 'CLF', '-12.3456 CLF'],
  [9_007_199_254_740_993n, 'USD', '90071992547409.93 USD'],
] as const

for (const [amount, code, expected] of formats) {
  test(`${amount} minor units of ${code} read ${expected}`, () => {
    assert.equal(formatMoney(money(amount, currency(code))), expected)
  })
}

test('a formatted amount carries its value in every currency', () => {
  fc.assert(
    fc.property(minor, fc.constantFrom(...currencies), (amount, code) => {
      const [number = '', name] = formatMoney(money(amount, code)).split(' ')
      assert.equal(BigInt(number.replace('.', '')), amount)
      assert.equal(number.split('.')[1]?.length ?? 0, exponentOf(code))
      assert.equal(name, code)
    }),
  )
})

test('an amount crosses the wire unchanged', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (number) => assert.equal(toMinorNumber(fromMinorNumber(number)), number)))
})

test('what a number cannot carry exactly never crosses the wire', () => {
  for (const unsafe of [2n ** 53n, -(2n ** 53n), 2n ** 53n + 1n, 10n ** 30n]) {
    assert.throws(() => toMinorNumber(unsafe), InvariantViolation)
  }
  for (const unsafe of [0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => fromMinorNumber(unsafe), InvariantViolation)
  }
})

function eur(amount: bigint): Money {
  return money(amount, currency('EUR'))
}

function currency(code: string): Currency {
  const parsed = parseCurrency(code)
  assert.ok(parsed)
  return parsed
}

function same(actual: Money, expected: Money): void {
  assert.deepEqual(actual, expected)
}

function sum(list: readonly bigint[]): bigint {
  return list.reduce((total, value) => total + value, 0n)
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}
