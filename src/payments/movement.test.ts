import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport } from '#gateways/events'
import { book, type Change, changes } from './change.ts'
import { ACCOUNT, anyReport, lineage, shuffled } from './generated-lineages.ts'
import { join } from './join.ts'
import { movementsOf } from './movement.ts'
import { emptyPayment, type PaymentState } from './state.ts'

test('whatever the order, repetition and batches, the books end at what truly happened', () => {
  const told = lineage.chain((life) => fc.tuple(fc.constant(life.truth), shuffled(life.events)))
  fc.assert(
    fc.property(told, ([truth, events]) => {
      assert.deepEqual(amountsBooked(play(events).state), truth)
    }),
    { numRuns: 500 },
  )
})

test('arbitrary reports in two orders end in the same books', () => {
  const mixed = fc
    .array(anyReport, { maxLength: 10 })
    .chain((reports) => fc.tuple(fc.constant([reports]), shuffled(reports.map((report) => [report]))))
  fc.assert(
    fc.property(mixed, ([atOnce, oneByOne]) => {
      assert.deepEqual(amountsBooked(play(oneByOne).state), amountsBooked(play(atOnce).state))
    }),
    { numRuns: 500 },
  )
})

test('the deltas of a key add up to what is booked, their revisions count 1, 2, 3 …', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyReport, { maxLength: 3 }), { maxLength: 8 }), (events) => {
      const { state, booked } = play(events)
      for (const { key, amount, revision } of Object.values(state.booked)) {
        const ofKey = booked.filter((change) => change.key === key)
        assert.deepEqual(
          ofKey.map((change) => change.revision),
          Array.from({ length: revision }, (_, index) => index + 1),
        )
        assert.equal(
          ofKey.reduce((sum, { delta }) => sum + delta, 0),
          amount,
        )
        assert.ok(ofKey.every(({ delta }) => delta !== 0))
      }
    }),
  )
})

test('movements have keys of their own and are never zero', () => {
  fc.assert(
    fc.property(fc.array(anyReport, { maxLength: 12 }), (reports) => {
      const movements = movementsOf(join(emptyPayment, ACCOUNT, reports))
      assert.equal(new Set(movements.map(({ key }) => key)).size, movements.length)
      assert.ok(movements.every(({ amount }) => Number.isSafeInteger(amount) && amount > 0))
    }),
  )
})

test('an intent that succeeded is a capture, and its charge does not double it', () => {
  const { booked } = play([[intent('succeeded')], [charge({ captured: 100 })]])
  assert.deepEqual(deltas(booked), [['capture/stripe_main/pi_1/EUR', 100]])
})

test('a charge that captured only a part corrects what its intent announced', () => {
  const { booked } = play([[intent('succeeded')], [charge({ captured: 60, refunded: 40 })]])
  assert.deepEqual(deltas(booked), [
    ['capture/stripe_main/pi_1/EUR', 100],
    ['capture/stripe_main/pi_1/EUR', -40],
  ])
})

test('a charge without an intent stands for itself', () => {
  const { booked } = play([[{ ...charge({ captured: 100 }), parents: [] }]])
  assert.deepEqual(deltas(booked), [['capture/stripe_main/ch_1/EUR', 100]])
})

test('a refunded total without its parts is booked, and shrinks when a part arrives', () => {
  const { booked } = play([[charge({ captured: 100, refunded: 50 })], [refund('re_1', 30, 'pending')]])
  assert.deepEqual(deltas(booked), [
    ['capture/stripe_main/pi_1/EUR', 100],
    ['refund/stripe_main/pi_1:unidentified/EUR', 50],
    ['refund/stripe_main/re_1/EUR', 30],
    ['refund/stripe_main/pi_1:unidentified/EUR', -30],
  ])
})

test('a charge that claims more refunded than it captured is believed up to the captured', () => {
  const { state } = play([[charge({ captured: 100, refunded: 150 })]])
  assert.equal(amountsBooked(state)['refund/stripe_main/pi_1:unidentified/EUR'], 100)
})

test('a refund that names only its intent still accounts for the charge’s total', () => {
  const named = { ...refund('re_1', 50, 'succeeded'), parents: ['pi_1'] }
  const { state } = play([[charge({ captured: 100, refunded: 50 })], [named]])
  assert.equal(amountsBooked(state)['refund/stripe_main/pi_1:unidentified/EUR'], undefined)
})

test('a refund that fails after it succeeded gives the money back', () => {
  const { state, booked } = play([
    [charge({ captured: 100, refunded: 30 }), refund('re_1', 30, 'succeeded')],
    [refund('re_1', 30, 'failed')],
    [charge({ captured: 100, refunded: 0 })],
  ])
  assert.deepEqual(deltas(booked).at(-1), ['refund/stripe_main/re_1/EUR', -30])
  assert.deepEqual(amountsBooked(state), { 'capture/stripe_main/pi_1/EUR': 100 })
})

test('the refund of a hold that was never captured moves nothing', () => {
  const voided: ObjectReport = { ...charge({ captured: 0, refunded: 100 }), status: 'voided' }
  assert.deepEqual(play([[refund('re_1', 100, 'succeeded'), voided]]).booked, [])
})

test('disputed money is withdrawn, then either reinstated or lost', () => {
  const taken = dispute({ withdrawn: true, status: 'under_review' })
  const won = dispute({ reinstated: true, status: 'won' })
  const lost = dispute({ withdrawn: true, status: 'lost' })
  assert.deepEqual(deltas(play([[taken], [won]]).booked), [
    ['dispute/stripe_main/dp_1/EUR', 100],
    ['dispute_reinstated/stripe_main/dp_1/EUR', 100],
  ])
  assert.deepEqual(deltas(play([[lost], [taken]]).booked), [
    ['dispute/stripe_main/dp_1/EUR', 100],
    ['dispute_lost/stripe_main/dp_1/EUR', 100],
  ])
})

test('money reinstated before its withdrawal was heard of is shown withdrawn too', () => {
  const won = dispute({ reinstated: true, status: 'won' })
  assert.equal(play([[won]]).booked.length, 2)
})

test('a lost dispute that took no money moves none, and neither does an inquiry', () => {
  assert.deepEqual(play([[dispute({ status: 'lost' })], [dispute({ status: 'inquiry' })]]).booked, [])
})

/** Takes event after event as the payments module does: join, book the difference. */
function play(events: readonly ObjectReport[][]): { state: PaymentState; booked: Change[] } {
  const booked: Change[] = []
  let state = emptyPayment
  for (const reports of events) {
    state = join(state, ACCOUNT, reports)
    const due = changes(state.booked, movementsOf(state))
    booked.push(...due)
    state = { ...state, booked: book(state.booked, due) }
    assert.deepEqual(changes(state.booked, movementsOf(state)), [])
  }
  return { state, booked }
}

function amountsBooked({ booked }: PaymentState): Record<string, number> {
  return Object.fromEntries(
    Object.values(booked)
      .filter(({ amount }) => amount !== 0)
      .map(({ key, amount }) => [key, amount]),
  )
}

function deltas(booked: readonly Change[]): [string, number][] {
  return booked.map(({ key, delta }) => [key, delta])
}

function intent(status: 'succeeded' | 'canceled'): ObjectReport {
  return { kind: 'intent', id: 'pi_1', parents: [], amount: 100, currency: 'EUR', status }
}

function charge(about: { captured: number; refunded?: number }) {
  const ids = { kind: 'charge' as const, id: 'ch_1', parents: ['pi_1'] }
  return { ...ids, amount: 100, currency: 'EUR', status: 'captured' as const, refunded: 0, ...about }
}

function refund(id: string, amount: number, status: 'pending' | 'succeeded' | 'failed'): ObjectReport {
  return { kind: 'refund', id, parents: ['ch_1', 'pi_1'], amount, currency: 'EUR', status }
}

function dispute(about: {
  withdrawn?: boolean
  reinstated?: boolean
  status: 'inquiry' | 'under_review' | 'won' | 'lost'
}): ObjectReport {
  const ids = { kind: 'dispute' as const, id: 'dp_1', parents: ['ch_1'], amount: 100, currency: 'EUR' }
  return { ...ids, withdrawn: false, reinstated: false, ...about }
}
