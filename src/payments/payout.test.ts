import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport } from '#gateways/events'
import { book, changes } from './change.ts'
import { ACCOUNT, anyReport, shuffled } from './generated-lineages.ts'
import { emptyPayout, joinPayouts, type PayoutState, type PayoutStatus, payoutMovementsOf } from './payout.ts'

test('any order and any repetition of reports gives the same payouts', () => {
  const mixed = fc.array(anyReport).chain((reports) => fc.tuple(fc.constant(reports), shuffled(reports)))
  fc.assert(
    fc.property(mixed, ([inOrder, outOfOrder]) => {
      assert.deepEqual(joinPayouts(emptyPayout, ACCOUNT, outOfOrder), joinPayouts(emptyPayout, ACCOUNT, inOrder))
    }),
  )
})

test('a payout counts once it is paid', () => {
  assert.deepEqual(movedBy('pending', 'in_transit'), [])
  assert.deepEqual(movedBy('paid', 'in_transit'), [['payout/stripe_main/po_1/EUR', 5000]])
})

test('a payout canceled before it was paid moves nothing', () => {
  assert.deepEqual(movedBy('pending', 'canceled'), [])
})

test('a payout that fails after it was paid comes back', () => {
  const paid = joinPayouts(emptyPayout, ACCOUNT, [payout('paid')])
  const booked = book(paid.booked, changes(paid.booked, payoutMovementsOf(paid)))
  const failed = joinPayouts({ ...paid, booked }, ACCOUNT, [payout('failed')])
  const [change] = changes(failed.booked, payoutMovementsOf(failed))
  assert.equal(change?.delta, -5000)
  assert.equal(change?.revision, 2)
})

function movedBy(...statuses: PayoutStatus[]): [string, number][] {
  const state: PayoutState = joinPayouts(emptyPayout, ACCOUNT, statuses.map(payout))
  return payoutMovementsOf(state).map(({ key, amount }) => [key, amount])
}

function payout(status: PayoutStatus): ObjectReport {
  return { kind: 'payout', id: 'po_1', parents: [], amount: 5000, currency: 'EUR', status }
}
