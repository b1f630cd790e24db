import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { book, type Change } from './change.ts'
import { unsharedChanges, withParts } from './split.ts'
import {
  type Booked,
  emptyPayment,
  type MovementKind,
  type PaymentRequest,
  type PaymentState,
  type Split,
} from './state.ts'

const AMOUNT = 1_000
const splits: fc.Arbitrary<Split[]> = fc
  .array(fc.integer({ min: 1, max: AMOUNT }), { minLength: 1, maxLength: 5 })
  .filter((amounts) => sum(amounts) <= AMOUNT)
  .map((amounts) => amounts.map((amount, place) => ({ merchant: `mer_${place}`, amount })))

/** Captures in parts, and refunds of what is captured; a negative one takes an earlier one back. */
const moves = fc.array(
  fc.record({
    kind: fc.constantFrom<MovementKind>('capture', 'refund', 'dispute_lost'),
    amount: fc.integer({ min: -400, max: 400 }),
  }),
  { maxLength: 20 },
)

test('the parts come to what moved, nobody gives back more than they got, and all of it leaves nobody a unit', () => {
  fc.assert(
    fc.property(splits, moves, (list, wishes) => {
      let state = stateOf(list)
      for (const [place, { kind, amount }] of wishes.entries()) {
        const delta = allowed(state.booked, kind, amount)
        if (delta === 0) continue
        state = moved(state, change(kind, `${delta < 0 ? 0 : place}`, delta, state.booked))
        for (const left of leftOf(state.booked, list.length)) assert.ok(left >= 0)
      }
      const captured = totalOf(state.booked, ['capture'])
      const rest = captured - totalOf(state.booked, ['refund', 'dispute_lost'])
      if (rest > 0) state = moved(state, change('refund', 'last', rest, state.booked))
      assert.deepEqual(leftOf(state.booked, list.length), [...list.map(() => 0), 0])
    }),
  )
})

test('captured as it was asked for, each has what was asked for, in however many parts', () => {
  fc.assert(
    fc.property(splits, fc.integer({ min: 1, max: AMOUNT - 1 }), (list, first) => {
      const begun = moved(stateOf(list), change('capture', 'one', first, {}))
      const state = moved(begun, change('capture', 'two', AMOUNT - first, begun.booked))
      assert.deepEqual(
        leftOf(state.booked, list.length).slice(0, -1),
        list.map(({ amount }) => amount),
      )
    }),
  )
})

test('a correction undoes what it corrects, and what is more than was asked for is shared as well', () => {
  const list = [
    { merchant: 'mer_a', amount: 600 },
    { account: 'platform:fees:revenue', amount: 100 },
  ]
  const captured = moved(stateOf(list), change('capture', 'one', 2_000, {}))
  assert.deepEqual(leftOf(captured.booked, 2), [1_200, 200, 600])
  const given = moved(captured, change('refund', 'r', 333, captured.booked))
  assert.deepEqual(leftOf(given.booked, 2), [1_200 - 200, 200 - 33, 600 - 100])
  const undone = moved(given, change('refund', 'r', -333, given.booked))
  assert.deepEqual(leftOf(undone.booked, 2), [1_200, 200, 600])
})

test('money in another currency, fees and disputes are not shared', () => {
  const state = stateOf([{ merchant: 'mer_a', amount: 600 }])
  const about = { ...change('capture', 'one', 1_000, {}), currency: 'USD' }
  assert.deepEqual(withParts(state, [about]), [about])
  for (const kind of ['fee', 'dispute', 'dispute_reinstated'] as const) {
    assert.deepEqual(withParts(state, [change(kind, 'one', 10, {})]), [change(kind, 'one', 10, {})])
  }
})

test('what was booked before the splits were known is taken back, to be shared', () => {
  const early = moved({ ...emptyPayment }, change('capture', 'one', 1_000, {}))
  const state = { ...early, request: requestOf([{ merchant: 'mer_a', amount: 600 }]) }
  const undone = unsharedChanges(early, state)
  assert.deepEqual(
    undone.map(({ delta, revision }) => [delta, revision]),
    [[-1_000, 2]],
  )
  const [back, anew] = withParts(state, [...undone, { ...change('capture', 'one', 1_000, {}), revision: 3 }])
  assert.deepEqual([back?.parts, anew?.parts], [[0], [600]])
  assert.deepEqual(unsharedChanges(state, state), [])
})

function requestOf(list: readonly Split[]): PaymentRequest {
  return { amount: AMOUNT, currency: 'EUR', captureMode: 'automatic', expiresAt: 0, splits: list }
}

function stateOf(list: readonly Split[]): PaymentState {
  return { ...emptyPayment, request: requestOf(list) }
}

function change(kind: MovementKind, object: string, delta: number, booked: Booked): Change {
  const key = `${kind}/acme/${object}/EUR` as const
  return { key, kind, object, account: 'acme', delta, currency: 'EUR', revision: (booked[key]?.revision ?? 0) + 1 }
}

/** As a payment with the change booked; parts come to the change or less, the rest being the merchant's. */
function moved(state: PaymentState, one: Change): PaymentState {
  const [shared] = withParts(state, [one])
  assert.ok(shared)
  const parts = shared.parts ?? []
  assert.ok(parts.every((part) => part === 0 || part > 0 === one.delta > 0))
  assert.ok(Math.abs(sum(parts)) <= Math.abs(one.delta))
  return { ...state, booked: book(state.booked, [shared]) }
}

/** As much of the wish as gateways could report: no more refunded than captured, no capture taken back that was refunded. */
function allowed(booked: Booked, kind: MovementKind, wish: number): number {
  const left = totalOf(booked, ['capture']) - totalOf(booked, ['refund', 'dispute_lost'])
  const key = `${kind}/acme/0/EUR` as const
  if (wish < 0) return kind === 'capture' ? 0 : -Math.min(-wish, booked[key]?.amount ?? 0)
  return kind === 'capture' ? wish : Math.min(wish, left)
}

/** What each still has of the payment, the merchant last. */
function leftOf(booked: Booked, parties: number): number[] {
  return Array.from({ length: parties + 1 }, (_, place) =>
    sum(
      Object.values(booked).map(({ kind, amount, parts = [] }) => {
        const part = place < parties ? (parts[place] ?? 0) : amount - sum(parts)
        return kind === 'capture' ? part : -part
      }),
    ),
  )
}

function totalOf(booked: Booked, kinds: readonly MovementKind[]): number {
  return sum(
    Object.values(booked)
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ amount }) => amount),
  )
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
