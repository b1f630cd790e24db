import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Fate, HELD, Played, type Wanted } from './generated-operations.ts'
import { operationsOf } from './operation.ts'

// Goal: money is promised once. The gateway here does whatever it is asked and stops nothing, so what is never too much
// there is what the decider has reserved. Answers get lost, webhooks come late, again and out of order, refunds are
// sent back by banks, and callers ask for more while all of that goes on.

type Step =
  | { do: 'ask'; wanted: Wanted }
  | { do: 'answer'; fate: Fate }
  | { do: 'hear' | 'fail'; nth: number }
  | { do: 'inquire' }

const fate: fc.Arbitrary<Fate> = fc.constantFrom('done', 'done', 'done_and_lost', 'lost', 'refused', 'declined')
const amount = fc.integer({ min: 1, max: HELD + 100 })
const refund = fc.record({ call: fc.constant('refund' as const), amount })
const wanted: fc.Arbitrary<Wanted> = fc.oneof(
  { weight: 4, arbitrary: refund },
  { weight: 1, arbitrary: fc.constantFrom<Wanted>({ call: 'capture' }, { call: 'cancel' }, { call: 'refund' }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constant('capture' as const), amount }) },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), wanted }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), fate }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('hear' as const, 'fail' as const), nth: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'inquire' as const }) },
)

test('never is more refunded than captured, and a hold is captured or let go once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const played = new Played()
      for (const one of [...capture, ...steps]) {
        play(played, one)
        assert.ok(played.refundedAtGateway() <= played.takenAtGateway(), 'refunded at most what was taken')
      }
      const holds = played.done.filter(({ call }) => call === 'capture' || call === 'cancel')
      assert.ok(holds.length <= 1, 'a hold ends once')
    }),
    { numRuns: 400 },
  )
})

test('a hold that has not been captured yet ends once too', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const played = new Played()
      for (const one of steps) play(played, one)
      assert.ok(played.done.filter(({ call }) => call === 'capture' || call === 'cancel').length <= 1)
      assert.ok(played.takenAtGateway() <= HELD)
    }),
    { numRuns: 400 },
  )
})

test('in the end every operation is known to have succeeded exactly where the gateway did it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const played = new Played()
      for (const one of [...capture, ...steps]) play(played, one)
      played.settle()
      assert.ok(played.record)
      const { state } = played.record
      const done = new Map(played.done.map(({ operation, amount: moved }) => [operation, moved]))
      assert.equal(done.size, played.done.length, 'nothing is done twice')
      for (const { id, status, amount: moved, call, code } of operationsOf(state)) {
        assert.ok(status !== 'pending' && status !== 'unknown', `${id} is ${status}`)
        if (status === 'refused') assert.ok(!done.has(id), `${id} was not done`)
        if (status === 'succeeded') assert.ok(done.has(id), `${id} was done`)
        if (status === 'succeeded' && call !== 'authorize' && call !== 'cancel') assert.equal(done.get(id), moved)
        if (status === 'failed' && done.has(id)) assert.equal(code, 'refund_failed')
      }
      const total = (kind: string) =>
        Object.values(state.booked).reduce((sum, one) => sum + (one.kind === kind ? one.amount : 0), 0)
      assert.deepEqual([total('capture'), total('refund')], [played.takenAtGateway(), played.refundedAtGateway()])
    }),
    { numRuns: 400 },
  )
})

const capture: Step[] = [
  { do: 'ask', wanted: { call: 'capture', amount: HELD - 1 } },
  { do: 'answer', fate: 'done' },
]

function play(played: Played, one: Step): void {
  if (one.do === 'ask') played.ask(one.wanted)
  if (one.do === 'answer') played.answerNext(one.fate)
  if (one.do === 'hear') played.hear(one.nth)
  if (one.do === 'fail') played.failRefund(one.nth)
  if (one.do === 'inquire') played.inquire()
}
