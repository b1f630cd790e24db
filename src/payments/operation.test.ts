import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport, ReportOf } from '#gateways/events'
import { type PaymentFact, record } from './fact.ts'
import { ACCOUNT, lineage, shuffled } from './generated-lineages.ts'
import { join } from './join.ts'
import { operationsOf, unknownOperations } from './operation.ts'
import { possibilityOf, type Wish } from './possible.ts'
import { emptyPayment, type OperationRequest, type PaymentState } from './state.ts'

const asked: OperationRequest = {
  call: 'capture',
  amount: 100,
  currency: 'EUR',
  object: 'pi_1',
  reason: null,
  fingerprint: 'f1',
  at: 1,
}
const authorize: PaymentFact = { fact: 'executing', operation: 'op_a', account: ACCOUNT }
const capture = begun(asked)
const part = begun({ ...asked, amount: 60 })
const cancel = begun({ ...asked, call: 'cancel' })
const back = begun({ ...asked, call: 'refund', object: 'ch_1', amount: 30 })
const unknown: PaymentFact = { fact: 'unknown', operation: 'op_1', account: ACCOUNT, since: 5 }
const [answered, declined, refused] = (['answered', 'declined', 'refused'] as const).map(
  (outcome): PaymentFact => ({ fact: 'ended', operation: 'op_1', account: ACCOUNT, outcome, code: 'said_no' }),
) as [PaymentFact, PaymentFact, PaymentFact]

const claims: [claim: string, facts: PaymentFact[], reports: ObjectReport[], standing: string][] = [
  ['a capture was sent', [capture], [charge('authorized')], 'pending'],
  ['a capture timed out', [capture, unknown], [charge('authorized')], 'unknown'],
  ['a capture timed out and its charge was captured', [capture, unknown], [charge('captured')], 'succeeded'],
  ['other than asked was captured', [part, unknown], [charge('captured')], 'failed captured_first'],
  ['a capture timed out and the hold was let go', [capture, unknown], [charge('voided')], 'failed canceled_first'],
  ['a capture was refused', [capture, refused], [charge('captured')], 'refused said_no'],
  ['a capture was declined', [capture, declined], [charge('authorized')], 'failed said_no'],
  ['a cancellation timed out', [cancel, unknown], [charge('authorized')], 'unknown'],
  ['a cancellation timed out and the hold was let go', [cancel, unknown], [charge('voided')], 'succeeded'],
  ['it was captured instead', [cancel, unknown], [charge('captured')], 'failed captured_first'],
  ['a refund timed out', [back, unknown], [charge('captured')], 'unknown'],
  ['a refund of somebody else was reported', [back, unknown], [charge('captured'), refund()], 'unknown'],
  ['a refund was reported as ours', [back, unknown], [charge('captured'), refund('op_1')], 'succeeded'],
  ['our refund is under way there', [back, answered], [refund('op_1', 'pending')], 'pending'],
  ['our refund came back', [back, answered], [refund('op_1'), refund('op_1', 'failed')], 'failed refund_failed'],
  ['a refund was answered, and not reported yet', [back, answered], [charge('captured')], 'succeeded'],
  ['a refund nobody had received is reported after all', [back, unknown, refused], [refund('op_1')], 'succeeded'],
]

for (const [claim, facts, reports, standing] of claims) {
  test(`${claim}: ${standing}`, () => {
    const [operation] = operationsOf(known(facts, reports))
    assert.equal([operation?.status, operation?.code].filter(Boolean).join(' '), standing)
  })
}

const authorizations: [claim: string, reports: ObjectReport[], standing: string][] = [
  ['nothing was reported', [], 'pending'],
  ['it waits for the customer', [intent('requires_action')], 'pending'],
  ['the money is held', [charge('authorized')], 'succeeded'],
  ['the hold ran out', [charge('authorized'), charge('voided')], 'succeeded'],
  ['it was given up before it was held', [intent('requires_action'), intent('canceled')], 'failed'],
  ['the bank said no', [charge('failed')], 'failed'],
]

for (const [claim, reports, standing] of authorizations) {
  test(`of an authorization ${claim}: ${standing}`, () => {
    const ended: PaymentFact = { fact: 'ended', operation: 'op_a', account: ACCOUNT, outcome: 'answered' }
    assert.equal(operationsOf(known([authorize, ended], reports))[0]?.status, standing)
  })
}

test('operations stand the same in whatever order facts and reports came', () => {
  const steps = lineage.chain(({ events }) => {
    const facts = [authorize, back, unknown, answered].map((fact): Step => ({ fact }))
    const ours: Step[] = [refund('op_1', 'pending'), refund('op_1'), refund()].map((report) => ({ report }))
    const all = [...events.flat().map((report): Step => ({ report })), ...ours, ...facts]
    return fc.tuple(fc.constant(all), shuffled(all))
  })
  fc.assert(
    fc.property(steps, ([inOrder, outOfOrder]) => {
      const [one, other] = [inOrder, outOfOrder].map((all) => all.reduce(take, emptyPayment)) as [
        PaymentState,
        PaymentState,
      ]
      const byId = (state: PaymentState) => operationsOf(state).sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(other, one)
      assert.deepEqual(byId(other), byId(one))
      assert.deepEqual(unknownOperations(other), unknownOperations(one))
    }),
  )
})

const possibilities: [
  claim: string,
  wish: Wish['call'],
  amount: number | undefined,
  state: PaymentState,
  can: string,
][] = [
  ['what is held', 'capture', undefined, known([], [intent('requires_capture')]), 'pi_1 100'],
  ['a part of it', 'capture', 60, known([], [charge('authorized')]), 'pi_1 60'],
  ['more than is held', 'capture', 101, known([], [charge('authorized')]), 'amount_too_large 100'],
  ['nothing held', 'capture', undefined, known([], []), 'not_capturable'],
  ['what was captured', 'capture', undefined, known([], [charge('captured')]), 'not_capturable'],
  ['beside another', 'capture', 10, known([part], [charge('authorized')]), 'operation_under_way'],
  ['after one in doubt', 'cancel', undefined, known([part, unknown], [charge('authorized')]), 'operation_under_way'],
  ['after one refused', 'capture', undefined, known([part, refused], [charge('authorized')]), 'pi_1 100'],
  ['what waits for its customer', 'cancel', undefined, known([], [intent('requires_action')]), 'pi_1 100'],
  ['what was captured too late', 'cancel', undefined, known([], [charge('captured')]), 'not_cancelable'],
  ['all of it', 'refund', undefined, known([], [charge('captured')]), 'ch_1 100'],
  ['what was never captured', 'refund', undefined, known([], [charge('authorized')]), 'not_refundable'],
  ['the rest of it', 'refund', undefined, known([], [charge('captured'), refund()]), 'ch_1 70'],
  ['more than the rest', 'refund', 71, known([], [charge('captured'), refund()]), 'amount_too_large 70'],
  ['what is left by one under way', 'refund', 71, known([back], [charge('captured')]), 'amount_too_large 70'],
  ['what is left by one in doubt', 'refund', 71, known([back, unknown], [charge('captured')]), 'amount_too_large 70'],
  ['after one refused', 'refund', 100, known([back, refused], [charge('captured')]), 'ch_1 100'],
  ['after one that is named', 'refund', 71, known([back], [charge('captured'), refund('op_1')]), 'amount_too_large 70'],
  ['after one that came back', 'refund', 100, known([], [charge('captured'), refund('op_1', 'failed')]), 'ch_1 100'],
  ['what the charge tells of one under way', 'refund', 70, known([back], [charge('captured', 30)]), 'refund_under_way'],
  ['more than either leaves', 'refund', 71, known([back], [charge('captured', 30)]), 'amount_too_large 40'],
  ['what both leave', 'refund', 40, known([back], [charge('captured', 30)]), 'ch_1 40'],
  ['what only the charge tells of', 'refund', undefined, known([], [charge('captured', 40)]), 'ch_1 60'],
  [
    'what is in dispute',
    'refund',
    undefined,
    known([], [charge('captured'), dispute('under_review')]),
    'not_refundable',
  ],
  ['what was won back', 'refund', undefined, known([], [charge('captured'), dispute('won')]), 'ch_1 100'],
]

for (const [claim, call, amount, state, can] of possibilities) {
  test(`${call} of ${claim}: ${can}`, () => {
    const found = possibilityOf(state, { call, amount }, () => true)
    const told = found.isPossible ? [found.object, found.amount] : [found.code, found.left]
    assert.equal(told.filter((part) => part !== undefined).join(' '), can)
  })
}

test('nothing can be asked of an account that is not called, or of a payment that was asked enough', () => {
  const state = known([], [charge('captured')])
  assert.deepEqual(
    possibilityOf(state, { call: 'refund', amount: 1 }, () => false),
    {
      isPossible: false,
      code: 'gateway_not_callable',
    },
  )
  const many = Array.from({ length: 200 }, (_, nth): PaymentFact => {
    return { fact: 'ended', operation: `op_${nth}`, account: 'none', outcome: 'refused' }
  })
  assert.deepEqual(
    possibilityOf(join(known(many, []), ACCOUNT, [charge('captured')]), { call: 'refund', amount: 1 }, () => true),
    {
      isPossible: false,
      code: 'too_many_operations',
    },
  )
})

type Step = { report: ObjectReport } | { fact: PaymentFact }

function take(state: PaymentState, step: Step): PaymentState {
  return 'fact' in step ? record(state, step.fact) : join(state, ACCOUNT, [step.report])
}

function begun(request: OperationRequest): PaymentFact {
  return { fact: 'executing', operation: 'op_1', account: ACCOUNT, request }
}

function known(facts: PaymentFact[], reports: ObjectReport[]): PaymentState {
  return join(facts.reduce(record, emptyPayment), ACCOUNT, reports)
}

function intent(status: ReportOf<'intent'>['status']): ObjectReport {
  return { kind: 'intent', id: 'pi_1', parents: [], amount: 100, currency: 'EUR', status }
}

function charge(status: ReportOf<'charge'>['status'], refunded = 0): ObjectReport {
  const captured = status === 'captured' ? 100 : 0
  return { kind: 'charge', id: 'ch_1', parents: ['pi_1'], amount: 100, currency: 'EUR', status, captured, refunded }
}

function refund(operation?: string, status: ReportOf<'refund'>['status'] = 'succeeded'): ObjectReport {
  const id = operation === undefined ? 're_2' : 're_1'
  const named = operation === undefined ? {} : { operation }
  return { kind: 'refund', id, parents: ['ch_1'], amount: 30, currency: 'EUR', status, ...named }
}

function dispute(status: ReportOf<'dispute'>['status']): ObjectReport {
  const money = { amount: 100, currency: 'EUR', withdrawn: true, reinstated: status === 'won' }
  return { kind: 'dispute', id: 'dp_1', parents: ['ch_1'], status, ...money }
}
