import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { afterTrade, isCross, nothing, type Position, type Trade, traded } from './revaluation.ts'

test('what is given away takes its share of the cost with it, and the rest is realised', () => {
  const bought = traded(traded(nothing, 100n, 90n), 100n, 110n)
  assert.deepEqual(bought, { quantity: 200n, cost: 200n, realised: 0n })
  assert.deepEqual(traded(bought, -50n, -70n), { quantity: 150n, cost: 150n, realised: 20n })
  assert.deepEqual(traded(bought, -200n, -150n), { quantity: 0n, cost: 0n, realised: -50n })
})

test('what is owed gains when it is bought back for less', () => {
  const owed = traded(nothing, -100n, -90n)
  assert.deepEqual(traded(owed, 40n, 30n), { quantity: -60n, cost: -54n, realised: 6n })
})

test('through zero the old is closed and the rest opened at its own price', () => {
  const long = traded(nothing, 100n, 90n)
  assert.deepEqual(traded(long, -150n, -180n), { quantity: -50n, cost: -60n, realised: 30n })
})

test('a share of a cost is rounded half to even, and nothing of it is lost', () => {
  const three = traded(nothing, 2n, 5n)
  const two = traded(three, -1n, -3n)
  assert.deepEqual(two, { quantity: 1n, cost: 3n, realised: 1n })
  assert.deepEqual(traded(two, -1n, -3n), { quantity: 0n, cost: 0n, realised: 1n })
})

const amount = fc.bigInt({ min: 1n, max: 10n ** 14n })
const base = 'EUR'
/** Trades as conversions make them: one currency comes in, another goes out. */
const trade = fc
  .record({
    pair: fc
      .tuple(fc.constantFrom(base, 'USD', 'JPY', 'GBP'), fc.constantFrom(base, 'USD', 'JPY', 'GBP'))
      .filter(([a, b]) => a !== b),
    given: amount,
    taken: amount,
    worth: amount,
  })
  .map(({ pair: [from, to], given, taken, worth }) => ({
    trade: {
      source: 'entry/1',
      effectiveAt: 0,
      moves: [
        { currency: from, amount: given },
        { currency: to, amount: -taken },
      ],
    } satisfies Trade,
    worth,
  }))

test('positions and gains reconcile to the base value, to the unit', () => {
  const worthNow = fc.dictionary(fc.constantFrom('USD', 'JPY', 'GBP'), amount)
  fc.assert(
    fc.property(fc.array(trade, { maxLength: 60 }), worthNow, (trades, worths) => {
      let positions: ReadonlyMap<string, Position> = new Map()
      let inBase = 0n
      for (const { trade: one, worth } of trades) {
        positions = afterTrade(positions, one, base, isCross(one, base) ? worth : undefined)
        for (const { currency, amount: moved } of one.moves) if (currency === base) inBase += moved
      }
      const all = [...positions]
      const worthOf = ([currency, { quantity }]: [string, Position]): bigint => quantity * (worths[currency] ?? 7n)
      const value = all.reduce((sum, one) => sum + worthOf(one), 0n)
      const realised = all.reduce((sum, [, one]) => sum + one.realised, 0n)
      const unrealised = all.reduce((sum, one) => sum + worthOf(one) - one[1].cost, 0n)
      assert.equal(inBase + value, realised + unrealised)
    }),
  )
})

test('quantities are the sums of what moved, and where nothing is left there is no cost', () => {
  fc.assert(
    fc.property(fc.array(trade, { maxLength: 60 }), (trades) => {
      let positions: ReadonlyMap<string, Position> = new Map()
      const sums = new Map<string, bigint>()
      for (const { trade: one, worth } of trades) {
        positions = afterTrade(positions, one, base, worth)
        for (const { currency, amount: moved } of one.moves) sums.set(currency, (sums.get(currency) ?? 0n) + moved)
      }
      for (const [currency, { quantity, cost }] of positions) {
        assert.equal(quantity, sums.get(currency))
        if (quantity === 0n) assert.equal(cost, 0n)
      }
    }),
  )
})
