import type { ObjectReport, ReportOf } from '#gateways/events'
import { unreachable } from '#kernel/invariant'
import { ranks } from './ranks.ts'
import {
  type ChargeState,
  type DisputeState,
  type FeeState,
  type IntentState,
  type ObjectKey,
  objectKey,
  type PaymentObjects,
  type PaymentState,
  type RefundState,
} from './state.ts'
import { joinAmounts, joinTracked, type Tracked, track, union } from './tracked.ts'

/**
 * The payment with what a gateway account reported joined in. Commutative, associative and
 * idempotent: any order and any repetition of the same reports gives the same state. Reports of
 * payouts concern no payment and change nothing.
 */
export function join(state: PaymentState, account: string, reports: readonly ObjectReport[]): PaymentState {
  return { ...state, objects: reports.reduce((objects, report) => joinReport(objects, account, report), state.objects) }
}

function joinReport(objects: PaymentObjects, account: string, report: ObjectReport): PaymentObjects {
  switch (report.kind) {
    case 'intent':
      return { ...objects, intents: joinInto(objects.intents, intentOf(account, report), joinIntents) }
    case 'charge':
      return { ...objects, charges: joinInto(objects.charges, chargeOf(account, report), joinCharges) }
    case 'refund':
      return { ...objects, refunds: joinInto(objects.refunds, refundOf(account, report), joinRefunds) }
    case 'dispute':
      return { ...objects, disputes: joinInto(objects.disputes, disputeOf(account, report), joinDisputes) }
    case 'fee':
      return { ...objects, fees: joinInto(objects.fees, track(account, report, []), joinFees) }
    case 'payout':
      return objects
    default:
      return unreachable(report)
  }
}

export function joinInto<State extends Tracked<string>>(
  known: Readonly<Record<ObjectKey, State>>,
  reported: State,
  joinStates: (one: State, other: State) => State,
): Readonly<Record<ObjectKey, State>> {
  const key = objectKey(reported.account, reported.id)
  const before = known[key]
  return { ...known, [key]: before === undefined ? reported : joinStates(before, reported) }
}

function intentOf(account: string, report: ReportOf<'intent'>): IntentState {
  return {
    ...track(account, report, [report.status]),
    received: report.status === 'succeeded' ? report.amount : 0,
  }
}

function joinIntents(one: IntentState, other: IntentState): IntentState {
  return {
    ...joinTracked(one, other, ranks.intent),
    received: joinAmounts(one, other, one.received, other.received),
  }
}

function chargeOf(account: string, report: ReportOf<'charge'>): ChargeState {
  return {
    ...track(account, report, [report.status]),
    captured: report.captured,
    refunded: report.refunded,
    failures: listOf(report.failure),
  }
}

function joinCharges(one: ChargeState, other: ChargeState): ChargeState {
  return {
    ...joinTracked(one, other, ranks.charge),
    captured: joinAmounts(one, other, one.captured, other.captured),
    refunded: joinAmounts(one, other, one.refunded, other.refunded),
    failures: union(one.failures, other.failures),
  }
}

function refundOf(account: string, report: ReportOf<'refund'>): RefundState {
  return {
    ...track(account, report, [report.status]),
    failures: listOf(report.failure),
    operations: listOf(report.operation),
  }
}

function joinRefunds(one: RefundState, other: RefundState): RefundState {
  return {
    ...joinTracked(one, other, ranks.refund),
    failures: union(one.failures, other.failures),
    operations: union(one.operations, other.operations),
  }
}

function disputeOf(account: string, report: ReportOf<'dispute'>): DisputeState {
  const { withdrawn, reinstated } = report
  return { ...track(account, report, [report.status]), withdrawn, reinstated, reasons: listOf(report.reason) }
}

function joinDisputes(one: DisputeState, other: DisputeState): DisputeState {
  return {
    ...joinTracked(one, other, ranks.dispute),
    withdrawn: one.withdrawn || other.withdrawn,
    reinstated: one.reinstated || other.reinstated,
    reasons: union(one.reasons, other.reasons),
  }
}

function joinFees(one: FeeState, other: FeeState): FeeState {
  return joinTracked(one, other, [])
}

function listOf(code: string | undefined): string[] {
  return code === undefined ? [] : [code]
}
