import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exponentOf, parseCurrency } from '#kernel/currency'
import { reduced } from '#kernel/fraction'
import {
  type Conversion,
  type ConversionAsked,
  conversionIn,
  conversionJson,
  convert,
  positionMoves,
  postingsOf,
} from './conversion.ts'
import { balanced } from './entry.ts'
import type { Rate } from './rate.ts'

const rateOf = (numerator: bigint, denominator: bigint): Rate => {
  return { ...reduced(numerator, denominator), source: 'ecb', effectiveAt: 0 }
}

function asked(amount: bigint, currency: string, to: string, given: 'debit' | 'credit' = 'debit'): ConversionAsked {
  return { debit: { account: 'a', currency }, credit: { account: 'b', currency: to }, given, amount }
}

test('the rate is of whole units, whatever decimals the currencies have', () => {
  // 10.00 EUR at 162.35 are 1623.5 JPY: half, to the even.
  const yen = convert(asked(1000n, 'EUR', 'JPY'), rateOf(16235n, 100n))
  assert.deepEqual([yen.credit.amount, yen.remainder], [1624n, { numerator: -1n, denominator: 2n }])
  const back = convert(asked(1624n, 'JPY', 'EUR'), rateOf(100n, 16235n))
  assert.deepEqual(back.credit.amount, 1000n)
  const dinar = convert(asked(1000n, 'EUR', 'KWD'), rateOf(1n, 3n))
  assert.deepEqual([dinar.credit.amount, dinar.remainder], [3333n, { numerator: 1n, denominator: 3n }])
})

test('what is to arrive can be given instead', () => {
  const bought = convert(asked(10_000n, 'EUR', 'USD', 'credit'), rateOf(108n, 100n))
  assert.deepEqual([bought.debit.amount, bought.credit.amount], [9259n, 10_000n])
  assert.deepEqual(bought.remainder, { numerator: 7n, denominator: 27n })
})

const currency = fc.constantFrom('EUR', 'USD', 'JPY', 'KWD', 'CLF', 'GBP')
const pair = fc.tuple(currency, currency).filter(([a, b]) => a !== b)
const amount = fc.bigInt({ min: 1n, max: 10n ** 15n })
const rate = fc
  .tuple(fc.bigInt({ min: 1n, max: 10n ** 12n }), fc.bigInt({ min: 1n, max: 10n ** 12n }))
  .map(([numerator, denominator]) => rateOf(numerator, denominator))
const given = fc.constantFrom('debit' as const, 'credit' as const)

test('every currency of a conversion adds up to zero, and positions move against the accounts', () => {
  fc.assert(
    fc.property(pair, amount, rate, given, ([from, to], minor, by, side) => {
      const conversion = convert(asked(minor, from, to, side), by)
      const postings = postingsOf(conversion)
      assert.ok(balanced({ postings }))
      assert.deepEqual(positionMoves(postings), [
        { currency: from, amount: conversion.debit.amount },
        { currency: to, amount: -conversion.credit.amount },
      ])
    }),
  )
})

test('what is booked and what rounding left are exactly what the rate makes of the amount', () => {
  fc.assert(
    fc.property(pair, amount, rate, given, ([from, to], minor, by, side) => {
      const conversion = convert(asked(minor, from, to, side), by)
      const { remainder } = conversion
      assert.equal(exactly(conversion, remainder), true)
      const twice = 2n * (remainder.numerator < 0n ? -remainder.numerator : remainder.numerator)
      assert.ok(twice <= remainder.denominator, 'at most half a minor unit')
    }),
  )
})

test('there and back again loses at most the rounding', () => {
  fc.assert(
    fc.property(pair, amount, rate, ([from, to], minor, by) => {
      const there = convert(asked(minor, from, to), by)
      fc.pre(there.credit.amount > 0n)
      const inverse = rateOf(by.denominator, by.numerator)
      const back = convert(asked(there.credit.amount, to, from), inverse)
      const lost = minor - back.credit.amount
      // Half a minor unit of the other currency, as it is worth in this one, and half of this one.
      const worth = unitsOf(inverse, to, from)
      const size = lost < 0n ? -lost : lost
      assert.ok(2n * size * worth.denominator <= worth.numerator + worth.denominator, `${minor} came back less ${lost}`)
    }),
  )
})

test('a conversion is read as it was written', () => {
  fc.assert(
    fc.property(pair, amount, rate, given, ([from, to], minor, by, side) => {
      const conversion = convert(asked(minor, from, to, side), by)
      assert.deepEqual(conversionIn(JSON.parse(JSON.stringify(conversionJson(conversion)))), conversion)
    }),
  )
})

/** Worked out the other way round: amounts and remainder brought to one denominator. */
function exactly(
  { debit, credit, given: side, rate: by }: Conversion,
  remainder: { numerator: bigint; denominator: bigint },
) {
  const [from, to] = side === 'debit' ? [debit, credit] : [credit, debit]
  const ratio = side === 'debit' ? by : { numerator: by.denominator, denominator: by.numerator }
  const units = unitsOf(ratio, from.currency, to.currency)
  const whole = to.amount * remainder.denominator + remainder.numerator
  return from.amount * units.numerator * remainder.denominator === whole * units.denominator
}

/** Minor units of one for a minor unit of the other. */
function unitsOf({ numerator, denominator }: { numerator: bigint; denominator: bigint }, from: string, to: string) {
  const [source, target] = [parseCurrency(from), parseCurrency(to)]
  assert.ok(source && target)
  return {
    numerator: numerator * 10n ** BigInt(exponentOf(target)),
    denominator: denominator * 10n ** BigInt(exponentOf(source)),
  }
}
