import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCurrency } from './currency.ts'
import { money } from './money.ts'
import { type Share, shareOut } from './shares.ts'

const EUR = parseCurrency('EUR') ?? assert.fail()
const eur = (minor: bigint) => money(minor, EUR)

const share: fc.Arbitrary<Share> = fc.oneof(
  fc.record({ amount: fc.bigInt({ min: 0n, max: 2_000n }) }),
  fc.record({ basisPoints: fc.bigInt({ min: 0n, max: 6_000n }) }),
)
const shares = fc.array(share, { maxLength: 6 })
const whole = fc.bigInt({ min: 0n, max: 10_000n })

test('with a share of what is left the parts come to the whole, and none is below zero', () => {
  fc.assert(
    fc.property(whole, shares, (minor, list) => {
      const parts = shareOut(eur(minor), [...list, { isRemaining: true }])
      if (parts === undefined) return
      assert.equal(sum(parts), minor)
      assert.ok(parts.every((part) => part >= 0n))
    }),
  )
})

test('an amount is given to the unit, and a portion is less than a unit from what it is exactly', () => {
  fc.assert(
    fc.property(whole, shares, (minor, list) => {
      const parts = shareOut(eur(minor), list)
      for (const [place, part] of (parts ?? []).entries()) {
        const one = list[place] ?? assert.fail()
        if ('amount' in one) assert.equal(part, one.amount)
        if (!('basisPoints' in one)) continue
        const error = part * 10_000n - minor * one.basisPoints
        assert.ok(error < 10_000n && error > -10_000n)
      }
    }),
  )
})

test('nothing comes of shares only where amounts and portions are more than the whole', () => {
  fc.assert(
    fc.property(whole, shares, (minor, list) => {
      const exact = list.reduce(
        (total, one) =>
          total + ('amount' in one ? one.amount * 10_000n : 'basisPoints' in one ? one.basisPoints * minor : 0n),
        0n,
      )
      // Rounding may add or take less than a unit for each portion.
      const slack = 10_000n * BigInt(list.length)
      if (shareOut(eur(minor), list) === undefined)
        assert.ok(exact + slack > minor * 10_000n || portionsOf(list) > 10_000n)
      else assert.ok(exact - slack < minor * 10_000n || minor === 0n)
    }),
  )
})

test('a cent too much is too much', () => {
  assert.deepEqual(shareOut(eur(100n), [{ amount: 60n }, { basisPoints: 4_000n }]), [60n, 40n])
  assert.equal(shareOut(eur(100n), [{ amount: 61n }, { basisPoints: 4_000n }]), undefined)
  assert.equal(shareOut(eur(100n), [{ basisPoints: 6_000n }, { basisPoints: 4_001n }]), undefined)
})

function portionsOf(list: readonly Share[]): bigint {
  return list.reduce((total, one) => total + ('basisPoints' in one ? one.basisPoints : 0n), 0n)
}

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n)
}
