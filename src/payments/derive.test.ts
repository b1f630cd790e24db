import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport, ReportOf } from '#gateways/events'
import { type PaymentStatus, statusOf } from './derive.ts'
import { type PaymentFact, record } from './fact.ts'
import { ACCOUNT, anyReport, lineage, shuffled } from './generated-lineages.ts'
import { join } from './join.ts'
import { unknownOperations } from './operation.ts'
import { emptyPayment, type PaymentState } from './state.ts'

const requested = {
  fact: 'requested',
  request: { amount: 100, currency: 'EUR', captureMode: 'automatic', expiresAt: 900_000 },
} as const satisfies PaymentFact
const executing: PaymentFact = { fact: 'executing', operation: 'op_1', account: ACCOUNT }
const unknown = { fact: 'unknown', operation: 'op_1', account: ACCOUNT, since: 5 } as const satisfies PaymentFact
const declined: PaymentFact = { fact: 'ended', operation: 'op_1', account: ACCOUNT, outcome: 'declined' }
const refused: PaymentFact = { fact: 'ended', operation: 'op_1', account: ACCOUNT, outcome: 'refused' }
const failed = charge('failed', { id: 'ch_failed' })

const claims: [claim: string, facts: PaymentFact[], reports: ObjectReport[], status: PaymentStatus][] = [
  ['nothing is known', [], [], 'pending'],
  ['it was requested', [requested], [], 'pending'],
  ['the risk rules refused it', [requested, { fact: 'rejected' }], [], 'rejected'],
  ['its time was up', [requested, { fact: 'expired' }], [], 'expired'],
  ['a call is out', [requested, executing], [], 'pending'],
  ['a call timed out', [executing, unknown], [], 'unknown'],
  ['a call timed out and its intent was created', [executing, unknown], [intent('requires_action')], 'unknown'],
  ['a call timed out and its charge is pending', [executing, unknown], [charge('pending')], 'pending'],
  ['a call timed out and its charge failed', [executing, unknown], [failed], 'failed'],
  ['a call timed out and its charge was captured', [executing, unknown], [charge('captured')], 'captured'],
  ['a call timed out, then turned out declined', [executing, unknown, declined], [], 'failed'],
  ['the gateway has never heard of it', [executing, unknown, refused], [], 'failed'],
  ['an attempt failed', [], [intent('requires_payment_method'), failed], 'failed'],
  ['its 3-D Secure failed, and there is no charge', [], [intent('requires_action'), intent('failed')], 'failed'],
  ['its 3-D Secure failed, the next try took the money', [], [intent('failed'), intent('succeeded')], 'captured'],
  ['an attempt failed, the next holds the money', [], [failed, charge('authorized')], 'authorized'],
  ['an attempt failed, the next took the money', [], [charge('captured'), failed], 'captured'],
  ['an attempt failed after the intent succeeded', [], [intent('succeeded'), failed], 'captured'],
  ['the hold is in place', [], [intent('requires_capture')], 'authorized'],
  ['the hold was released', [], [intent('requires_capture'), charge('authorized'), intent('canceled')], 'canceled'],
  ['the hold ran out', [], [charge('authorized'), charge('voided')], 'canceled'],
  ['money came after it expired', [{ fact: 'expired' }], [charge('captured')], 'captured'],
  ['money came after it was canceled', [], [intent('canceled'), intent('succeeded')], 'captured'],
  ['money came after it was declined', [executing, declined], [intent('succeeded')], 'captured'],
  ['a part was refunded', [], [charge('captured'), refund(30)], 'partially_refunded'],
  ['all was refunded, in parts', [], [charge('captured'), refund(30), refund(70, 're_2')], 'refunded'],
  ['all was refunded, says the charge', [], [charge('captured', { refunded: 100 })], 'refunded'],
  ['a refund is heard of before its capture', [], [refund(30)], 'partially_refunded'],
  ['its refund failed', [], [charge('captured'), refund(100), refund(100, 're_1', 'failed')], 'captured'],
  ['an inquiry was opened', [], [charge('captured'), dispute('inquiry')], 'captured'],
  ['it is disputed', [], [charge('captured'), dispute('needs_response')], 'disputed'],
  ['it is disputed and refunded', [], [charge('captured'), refund(100), dispute('under_review')], 'disputed'],
  ['the dispute was won', [], [charge('captured'), dispute('under_review'), dispute('won')], 'captured'],
  ['the dispute was lost', [], [charge('captured'), dispute('lost')], 'disputed'],
]

for (const [claim, facts, reports, status] of claims) {
  test(`${claim}: ${status}`, () => assert.equal(statusOf(known(facts, reports)), status))
}

test('the status does not depend on the order in which facts and reports came', () => {
  const steps = lineage.chain(({ events }) => {
    const facts: PaymentFact[] = [executing, unknown, declined, { fact: 'expired' }]
    const all: Step[] = [...events.flat().map((report) => ({ report })), ...facts.map((fact) => ({ fact }))]
    return fc.tuple(fc.constant(all), shuffled(all))
  })
  fc.assert(
    fc.property(steps, ([inOrder, outOfOrder]) => {
      assert.deepEqual(outOfOrder.reduce(take, emptyPayment), inOrder.reduce(take, emptyPayment))
    }),
  )
})

test('once money was taken no report without a dispute or refund makes it unknown, failed or pending', () => {
  const harmless = fc.array(anyReport.filter(({ kind }) => kind === 'intent' || kind === 'charge' || kind === 'fee'))
  fc.assert(
    fc.property(harmless, (reports) => {
      const state = join(known([executing, unknown, declined], [charge('captured')]), ACCOUNT, reports)
      assert.ok(['captured', 'partially_refunded', 'refunded'].includes(statusOf(state)))
    }),
  )
})

test('an operation is asked about until something accounts for it', () => {
  assert.deepEqual(unknownOperations(known([executing], [])), [])
  assert.deepEqual(unknownOperations(known([executing, unknown], [])), ['op_1'])
  assert.deepEqual(unknownOperations(known([executing, unknown], [intent('requires_action')])), ['op_1'])
  assert.deepEqual(unknownOperations(known([executing, unknown], [failed])), [])
  assert.deepEqual(unknownOperations(known([executing, unknown, refused], [])), [])
})

test('a failed attempt does not account for a second operation', () => {
  const second: PaymentFact = { fact: 'unknown', operation: 'op_2', account: ACCOUNT, since: 9 }
  const state = known([executing, declined, second], [failed])
  assert.deepEqual(unknownOperations(state), ['op_2'])
  assert.equal(statusOf(state), 'unknown')
})

test('an operation that surely did nothing has no attempt to account for', () => {
  const second: PaymentFact = { fact: 'unknown', operation: 'op_2', account: ACCOUNT, since: 9 }
  assert.equal(statusOf(known([executing, refused, second], [failed])), 'failed')
})

test('hearing of the same question twice counts once, and the earliest doubt stays', () => {
  const asked = { fact: 'asked', operation: 'op_1', account: ACCOUNT, times: 2 } as const satisfies PaymentFact
  const state = known(
    [{ ...unknown, since: 9 }, unknown, { ...unknown, since: 7 }, asked, asked, { ...asked, times: 1 }],
    [],
  )
  assert.equal(state.operations.op_1?.asked, 2)
  assert.equal(state.operations.op_1?.unknownSince, 5)
})

test('the first request stays', () => {
  const other: PaymentFact = { ...requested, request: { ...requested.request, amount: 999 } }
  assert.equal(known([requested, other], []).request?.amount, 100)
})

type Step = { report: ObjectReport } | { fact: PaymentFact }

function take(state: PaymentState, step: Step): PaymentState {
  return 'fact' in step ? record(state, step.fact) : join(state, ACCOUNT, [step.report])
}

function known(facts: PaymentFact[], reports: ObjectReport[]): PaymentState {
  return join(facts.reduce(record, emptyPayment), ACCOUNT, reports)
}

function intent(status: ReportOf<'intent'>['status']): ObjectReport {
  return { kind: 'intent', id: 'pi_1', parents: [], amount: 100, currency: 'EUR', status }
}

function charge(
  status: ReportOf<'charge'>['status'],
  about: { id?: string; refunded?: number } = {},
): ReportOf<'charge'> {
  const captured = status === 'captured' ? 100 : 0
  const ids = { kind: 'charge' as const, id: 'ch_1', parents: ['pi_1'] }
  return { ...ids, amount: 100, currency: 'EUR', status, captured, refunded: 0, ...about }
}

function refund(amount: number, id = 're_1', status: ReportOf<'refund'>['status'] = 'succeeded'): ObjectReport {
  return { kind: 'refund', id, parents: ['ch_1'], amount, currency: 'EUR', status }
}

function dispute(status: ReportOf<'dispute'>['status']): ObjectReport {
  const ids = { kind: 'dispute' as const, id: 'dp_1', parents: ['ch_1'], amount: 100, currency: 'EUR' }
  return { ...ids, status, withdrawn: status !== 'inquiry', reinstated: status === 'won' }
}
