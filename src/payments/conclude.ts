import type { callAnswered, objectReported } from '#gateways/events'
import { invariant } from '#kernel/invariant'
import { type Decision, type EventOf, type EventType, follow, type NewEvent, type TimerChange } from '#log'
import { book, type Change, changes } from './change.ts'
import { statusOf } from './derive.ts'
import * as events from './events.ts'
import { movementsOf } from './movement.ts'
import { type OperationView, operationsOf, unknownOperations } from './operation.ts'
import { unsharedChanges, withParts } from './split.ts'
import type { PaymentRecord } from './sql.ts'
import type { MovementKind, PaymentState } from './state.ts'

export type PaymentInput =
  | EventOf<typeof events.paymentRequested>
  | EventOf<typeof events.operationRequested>
  | EventOf<typeof events.inquiryDue>
  | EventOf<typeof objectReported>
  | EventOf<typeof callAnswered>

/** A payment after an event, and all that follows from it. */
export type Decided = { readonly payment: PaymentRecord } & Required<Decision>

export type Extras = Partial<Decision> & {
  readonly code?: string | undefined
  /** Whose the payment was taken for until now; absent: its merchant's. */
  readonly merchantBefore?: string | undefined
}

/** Books what moved, says what changed, and lets go of the inquiry when there is nothing left to ask. */
export function conclude(
  before: PaymentRecord,
  state: PaymentState,
  event: PaymentInput,
  extras: Extras = {},
): Decided {
  const undone = unsharedChanges(before.state, state)
  const moved = withParts(state, [...undone, ...changes(book(state.booked, undone), movementsOf(state))])
  const booked = { ...state, booked: book(state.booked, moved) }
  const status = statusOf(booked)
  const payment: PaymentRecord = { ...before, status, state: booked }
  const { merchantBefore = payment.merchant } = extras
  const movements = moved.map((change, place) =>
    movementFact(change, place < undone.length ? { ...payment, merchant: merchantBefore } : payment, event),
  )
  const changed = status !== before.status && status !== 'rejected' && movements.length === 0
  const statusFact = changed ? [statusChanged(before, payment, event, extras.code)] : []
  return {
    payment,
    facts: [...(extras.facts ?? []), ...operationFacts(before, payment, event), ...statusFact, ...movements],
    timers: [...(extras.timers ?? []), ...resolved(before, payment)],
    deliveries: extras.deliveries ?? [],
  }
}

export function inquiryTimer({ tenant, mode, id }: PaymentRecord): string {
  return `payments/inquiry/${tenant}/${mode}/${id}`
}

function resolved(before: PaymentRecord, after: PaymentRecord): TimerChange[] {
  const isResolved = unknownOperations(before.state).length > 0 && unknownOperations(after.state).length === 0
  return isResolved ? [{ cancel: inquiryTimer(after) }] : []
}

/** One for each operation that stands otherwise than before. Payments without operations pay nothing for it. */
function operationFacts(before: PaymentRecord, after: PaymentRecord, event: PaymentInput): NewEvent[] {
  const now = operationsOf(after.state)
  if (now.length === 0) return []
  const past = new Map(operationsOf(before.state).map(({ id, status }) => [id, status]))
  return now
    .filter(({ id, status }) => past.get(id) !== status)
    .map((operation) => follow(event, events.operationChanged, dataOf(operation), { part: operation.id }))
}

function dataOf({ id, call, account, amount, currency, reason, status, code }: OperationView) {
  return {
    operation: id,
    call,
    account,
    ...(amount === null ? {} : { amount }),
    ...(currency === null ? {} : { currency }),
    ...(reason === null ? {} : { reason }),
    status,
    ...(code === null ? {} : { code }),
  }
}

const factOf = {
  capture: events.paymentCaptured,
  fee: events.paymentFeeCharged,
  refund: events.paymentRefunded,
  dispute: events.paymentDisputed,
  dispute_reinstated: events.paymentDisputeReinstated,
  dispute_lost: events.paymentDisputeLost,
} as const satisfies Record<Exclude<MovementKind, 'payout'>, EventType>

function movementFact(
  { key, kind, revision, account, object, delta, currency, parts }: Change,
  payment: PaymentRecord,
  event: PaymentInput,
) {
  invariant(kind !== 'payout', 'a payout is no movement of a payment')
  const { merchant, status } = payment
  const splits = splitsOf(payment.state, parts)
  const data = {
    movement: key,
    revision,
    account,
    object,
    merchant,
    delta,
    currency,
    ...(splits.length === 0 ? {} : { splits }),
    status,
    effectiveAt: event.time,
  }
  return follow(event, factOf[kind], data, { part: `${key}#${revision}` })
}

/** Whose the parts are; those of nothing are left out. */
function splitsOf({ request }: PaymentState, parts: readonly number[] = []) {
  return (request?.splits ?? []).flatMap(({ amount: _, ...party }, place) => {
    const delta = parts[place] ?? 0
    return delta === 0 ? [] : [{ ...party, delta }]
  })
}

function statusChanged(
  before: PaymentRecord,
  after: PaymentRecord,
  event: PaymentInput,
  code: string | undefined,
): NewEvent {
  const change = { from: before.status, to: after.status, ...(code === undefined ? {} : { code }) }
  return follow(event, events.paymentStatusChanged, change)
}
