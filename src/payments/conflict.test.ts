import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport, ReportOf } from '#gateways/events'
import { conflictsOf, joinFetched, needsFetch } from './conflict.ts'
import { statusOf } from './derive.ts'
import { ACCOUNT, lineage, shuffled } from './generated-lineages.ts'
import { join } from './join.ts'
import { movementsOf } from './movement.ts'
import { emptyPayment, type PaymentState } from './state.ts'

const contradictions: [claim: string, reports: ObjectReport[], between: string[]][] = [
  ['an intent canceled and succeeded', [intent('canceled'), intent('succeeded')], ['canceled', 'succeeded']],
  ['a charge captured and voided', [charge('captured'), charge('voided')], ['voided', 'captured']],
  ['a charge failed and captured', [charge('failed'), charge('captured')], ['failed', 'captured']],
  ['a refund succeeded and canceled', [refund('canceled'), refund('succeeded')], ['succeeded', 'canceled']],
  ['a dispute won and lost', [dispute('lost'), dispute('won')], ['won', 'lost']],
  ['two currencies', [intent('processing'), { ...intent('processing'), currency: 'USD' }], ['EUR', 'USD']],
]

for (const [claim, reports, between] of contradictions) {
  test(`${claim}: both are kept, and the gateway is asked`, () => {
    const state = known(...reports)
    assert.deepEqual(
      conflictsOf(state).map((conflict) => conflict.between),
      [between],
    )
    assert.ok(needsFetch(state))
    assert.deepEqual(known(...reports.toReversed()), state)
  })
}

test('a refund that succeeded and then failed is no contradiction', () => {
  assert.deepEqual(conflictsOf(known(refund('succeeded'), refund('failed'))), [])
})

test('a genuine lineage never contradicts itself, in any order', () => {
  fc.assert(
    fc.property(
      lineage.chain(({ events }) => shuffled(events.flat())),
      (reports) => assert.ok(!needsFetch(known(...reports))),
    ),
  )
})

test('the gateway’s answer settles it, against the rank too', () => {
  const state = known(dispute('won'), dispute('lost'))
  assert.equal(statusOf(state), 'disputed')

  const settled = joinFetched(state, ACCOUNT, [dispute('won')])
  assert.ok(!needsFetch(settled))
  assert.equal(conflictsOf(settled)[0]?.isSettled, true)
  assert.deepEqual(
    movementsOf(settled).map(({ kind }) => kind),
    ['dispute'],
  )
})

test('a late repeat does not reopen what was settled; something new does', () => {
  const settled = joinFetched(known(charge('failed'), charge('captured')), ACCOUNT, [charge('failed')])
  assert.equal(statusOf(settled), 'failed')

  const repeated = join(settled, ACCOUNT, [charge('captured')])
  assert.equal(statusOf(repeated), 'failed')

  const contradicted = join(repeated, ACCOUNT, [charge('voided')])
  assert.ok(needsFetch(contradicted))
  assert.equal(statusOf(contradicted), 'captured')
})

test('fetching where nothing contradicts is a plain join', () => {
  fc.assert(
    fc.property(lineage, ({ events }) => {
      const reports = events.flat()
      assert.deepEqual(joinFetched(emptyPayment, ACCOUNT, reports), known(...reports))
    }),
  )
})

function known(...reports: ObjectReport[]): PaymentState {
  return join(emptyPayment, ACCOUNT, reports)
}

function intent(status: ReportOf<'intent'>['status']): ReportOf<'intent'> {
  return { kind: 'intent', id: 'pi_1', parents: [], amount: 100, currency: 'EUR', status }
}

function charge(status: ReportOf<'charge'>['status']): ObjectReport {
  const ids = { kind: 'charge' as const, id: 'ch_1', parents: [], amount: 100, currency: 'EUR' }
  return { ...ids, status, captured: status === 'captured' ? 100 : 0, refunded: 0 }
}

function refund(status: ReportOf<'refund'>['status']): ObjectReport {
  return { kind: 'refund', id: 're_1', parents: ['ch_1'], amount: 100, currency: 'EUR', status }
}

function dispute(status: ReportOf<'dispute'>['status']): ObjectReport {
  const ids = { kind: 'dispute' as const, id: 'dp_1', parents: ['ch_1'], amount: 100, currency: 'EUR' }
  return { ...ids, status, withdrawn: true, reinstated: false }
}
