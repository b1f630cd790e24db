import { unreachable } from '#kernel/invariant'
import type { Operation, OperationOutcome, OperationRequest, PaymentRequest, PaymentState } from './state.ts'
import { union } from './tracked.ts'

/** What we ourselves know of a payment, as against what gateways report. */
export type PaymentFact =
  | { fact: 'requested'; request: PaymentRequest }
  | { fact: 'rejected' }
  | { fact: 'expired' }
  | { fact: 'executing'; operation: string; account: string; request?: OperationRequest }
  | { fact: 'unknown'; operation: string; account: string; since: number }
  /** `times` counts from one, so that hearing of the same question twice changes nothing. */
  | { fact: 'asked'; operation: string; account: string; times: number }
  | { fact: 'ended'; operation: string; account: string; outcome: OperationOutcome; code?: string }

/**
 * The payment with one of our own facts joined in; order and repetition do not matter. The one
 * exception are requests, of a payment or an operation: the first that is committed stays.
 */
export function record(state: PaymentState, fact: PaymentFact): PaymentState {
  switch (fact.fact) {
    case 'requested':
      return { ...state, request: state.request ?? fact.request }
    case 'rejected':
      return { ...state, rejected: true }
    case 'expired':
      return { ...state, expired: true }
    case 'executing':
      return withOperation(state, fact, { request: fact.request ?? null })
    case 'unknown':
      return withOperation(state, fact, { unknownSince: fact.since })
    case 'asked':
      return withOperation(state, fact, { asked: fact.times })
    case 'ended':
      return withOperation(state, fact, {
        outcomes: [fact.outcome],
        codes: fact.code === undefined ? [] : [fact.code],
      })
    default:
      return unreachable(fact)
  }
}

function withOperation(
  state: PaymentState,
  { operation, account }: { operation: string; account: string },
  learned: Partial<Operation>,
): PaymentState {
  const fresh: Operation = { account, request: null, unknownSince: null, asked: 0, outcomes: [], codes: [] }
  const joined = joinOperations(state.operations[operation] ?? fresh, { ...fresh, ...learned })
  return { ...state, operations: { ...state.operations, [operation]: joined } }
}

const outcomes: readonly OperationOutcome[] = ['answered', 'declined', 'refused']

function joinOperations(one: Operation, other: Operation): Operation {
  return {
    account: one.account,
    request: one.request ?? other.request,
    unknownSince: earliest(one.unknownSince, other.unknownSince),
    asked: Math.max(one.asked, other.asked),
    outcomes: outcomes.filter((outcome) => one.outcomes.includes(outcome) || other.outcomes.includes(outcome)),
    codes: union(one.codes, other.codes),
  }
}

function earliest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other
  return Math.min(one, other)
}
