import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fractionOfDecimal, quotient, reduced } from './fraction.ts'

test('a decimal is taken as it stands', () => {
  assert.deepEqual(fractionOfDecimal('1.0812'), { numerator: 2703n, denominator: 2500n })
  assert.deepEqual(fractionOfDecimal('0'), { numerator: 0n, denominator: 1n })
  assert.deepEqual(fractionOfDecimal('20447.70'), { numerator: 204477n, denominator: 10n })
})

test('what is no decimal is none', () => {
  for (const text of ['', '.5', '1.', '-1', '1e3', '1,5', ' 1', 'N/A', '1.2.3']) {
    assert.equal(fractionOfDecimal(text), undefined, text)
  }
})

test('a fraction in lowest terms is the same ratio', () => {
  const number = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
  const divisor = number.filter((one) => one !== 0n)
  fc.assert(
    fc.property(number, divisor, divisor, (numerator, denominator, factor) => {
      const whole = reduced(numerator, denominator)
      assert.ok(whole.denominator > 0n)
      assert.equal(whole.numerator * denominator, numerator * whole.denominator)
      assert.deepEqual(reduced(numerator * factor, denominator * factor), whole)
    }),
  )
})

test('a ratio by itself is one', () => {
  const rate = reduced(3n, 7n)
  assert.deepEqual(quotient(rate, rate), { numerator: 1n, denominator: 1n })
})
