import type { callAnswered, objectReported } from '#gateways/events'
import { invariant, unreachable } from '#kernel/invariant'
import {
  type Decision,
  type EventOf,
  type EventType,
  follow,
  type NewDelivery,
  type NewEvent,
  type TimerChange,
} from '#log'
import { book, type Change, changes } from './change.ts'
import { conflictsOf, joinFetched, needsFetch } from './conflict.ts'
import { statusOf, unknownOperations } from './derive.ts'
import * as events from './events.ts'
import { record } from './fact.ts'
import { join } from './join.ts'
import { movementsOf } from './movement.ts'
import type { PaymentRecord } from './sql.ts'
import { emptyPayment, type MovementKind, type PaymentState } from './state.ts'

export type PaymentInput =
  | EventOf<typeof events.paymentRequested>
  | EventOf<typeof events.inquiryDue>
  | EventOf<typeof objectReported>
  | EventOf<typeof callAnswered>

/** What a decision needs from elsewhere. */
export type DecidePorts = {
  /** The gateway account that executes a payment; undefined when none is configured for it. */
  route(request: { tenant: string; mode: string; currency: string }): string | undefined
  /** Whether a gateway account can be called, and so be asked. */
  isCallable(account: string): boolean
  /** Names an operation: f(payment, operation, key). */
  operationId(payment: string, call: string, key: string): string
}

type Requested = EventOf<typeof events.paymentRequested>
type Answered = EventOf<typeof callAnswered>

/** A payment after an event, and all that follows from it. */
export type Decided = { readonly payment: PaymentRecord } & Required<Decision>

/** Pauses between inquiries, in ms; the last one repeats for ever: an unknown payment is never given up. */
const INQUIRY_PAUSES_MS = [5_000, 15_000, 60_000, 300_000, 3_600_000]
/** A gateway that has never heard of a call after this many questions did not get it. */
const ABSENT_ANSWERS_MAX = 3

/** Decides what an event means for its payment. Pure: the same event on the same record decides the same. */
export function decide(
  before: PaymentRecord | undefined,
  event: PaymentInput,
  now: number,
  ports: DecidePorts,
): Decided {
  const decided = decideEvent(before, event, now, ports)
  return { ...decided, deliveries: [...decided.deliveries, ...fetches(before, decided.payment, event, ports)] }
}

function decideEvent(before: PaymentRecord | undefined, event: PaymentInput, now: number, ports: DecidePorts): Decided {
  switch (event.type) {
    case 'payment.requested':
      return decideRequest(before, event, now, ports)
    case 'gateway.object_reported': {
      const known = before ?? newRecord(event, event.data.merchant)
      return conclude(known, join(known.state, event.data.account, event.data.reports), event)
    }
    case 'gateway.call_answered':
      return decideAnswer(before ?? newRecord(event, event.data.merchant), event)
    case 'payment.inquiry_due':
      return before ? ask(before, event, ports) : unknownPayment(event)
    default:
      return unreachable(event)
  }
}

function decideRequest(before: PaymentRecord | undefined, event: Requested, now: number, ports: DecidePorts): Decided {
  const { data } = event
  if (before?.state.request) return repeated(before, event)

  const { amount, currency, captureMode, expiresAt, merchant } = data
  const request = { amount, currency, captureMode, expiresAt }
  const known: PaymentRecord = {
    ...(before ?? newRecord(event, merchant)),
    merchant,
    customer: data.customer ?? null,
    fingerprint: data.fingerprint,
    details: data.details,
  }
  const requested = record(known.state, { fact: 'requested', request })
  const created = follow(event, events.paymentCreated, {
    ...request,
    merchant,
    ...(data.customer === undefined ? {} : { customer: data.customer }),
  })
  if (data.risk.isRefused) {
    const { score, reasons } = data.risk
    const rejected = follow(event, events.paymentRejected, { score, reasons })
    return conclude(known, record(requested, { fact: 'rejected' }), event, { facts: [created, rejected] })
  }
  if (now > expiresAt) {
    return conclude(known, record(requested, { fact: 'expired' }), event, { facts: [created], code: 'payment_expired' })
  }
  return execute(known, requested, event, created, ports)
}

function execute(
  known: PaymentRecord,
  state: PaymentState,
  event: Requested,
  created: NewEvent,
  ports: DecidePorts,
): Decided {
  // What a gateway has already reported under our reference is not done a second time.
  if (statusOf(state) !== 'pending') return conclude(known, state, event, { facts: [created] })

  const account = ports.route({ tenant: event.tenant, mode: event.mode, currency: event.data.currency })
  const operation = ports.operationId(known.id, 'authorize', '1')
  if (account === undefined) {
    const ended = record(state, { fact: 'ended', operation, account: 'none', outcome: 'refused', code: 'no_gateway' })
    return conclude(known, ended, event, { facts: [created], code: 'no_gateway' })
  }
  const { amount, currency, captureMode, expiresAt, paymentMethod } = event.data
  const delivery: NewDelivery = {
    id: operation,
    destination: `gateway:${account}`,
    key: known.id,
    payload: { call: 'authorize', operation, payment: known.id, amount, currency, captureMode, paymentMethod },
    notAfter: expiresAt,
    cause: event,
  }
  const executing = record(state, { fact: 'executing', operation, account })
  return conclude(known, executing, event, { facts: [created], deliveries: [delivery] })
}

/** The first request that is committed wins; what comes under its key later is told apart, and told. */
function repeated(before: PaymentRecord, event: Requested): Decided {
  const { fingerprint } = event.data
  const fact =
    before.fingerprint === fingerprint
      ? follow(event, events.paymentDuplicateIgnored, { request: event.id })
      : follow(event, events.paymentConflictIgnored, { request: event.id, fingerprint })
  return { payment: before, facts: [fact], timers: [], deliveries: [] }
}

function decideAnswer(before: PaymentRecord, event: Answered): Decided {
  const { account, operation, outcome, code, reports, call } = event.data
  // What a gateway answers when it is asked has the last word over reports that contradict each other.
  const state = (call === 'find' ? joinFetched : join)(before.state, account, reports)
  if (isFetch(before, event)) return conclude(before, state, event)
  const about = { operation, account, ...(code === undefined ? {} : { code }) }
  switch (outcome) {
    case 'answered':
    case 'declined':
    case 'refused':
      return conclude(before, record(state, { fact: 'ended', outcome, ...about }), event, { code })
    case 'expired': {
      const ended = record(state, { fact: 'ended', operation, account, outcome: 'refused', code: 'payment_expired' })
      return conclude(before, record(ended, { fact: 'expired' }), event, { code: 'payment_expired' })
    }
    case 'unknown':
      return inquireLater(before, record(state, { fact: 'unknown', operation, account, since: event.time }), event)
    case 'absent':
      return decideAbsent(before, state, event)
    default:
      return unreachable(outcome)
  }
}

/**
 * Ties that disagree are fetched again: a contradiction that has just appeared is put to the gateway, and put
 * again when it did not answer. Only what runs under our reference can be found by it.
 */
function fetches(
  before: PaymentRecord | undefined,
  { id, state }: PaymentRecord,
  event: PaymentInput,
  ports: DecidePorts,
): NewDelivery[] {
  const isNew = before === undefined || !needsFetch(before.state)
  const isUnanswered =
    event.type === 'gateway.call_answered' && isFetch(before, event) && event.data.outcome === 'unknown'
  if (state.request === null || !(isNew || isUnanswered)) return []
  const open = conflictsOf(state).filter(({ isSettled, account }) => !isSettled && ports.isCallable(account))
  return [...new Set(open.map(({ account }) => account))].map((account) => {
    const operation = ports.operationId(id, `fetch/${account}`, event.id)
    const payload = { call: 'find', operation, payment: id }
    return { id: operation, destination: `gateway:${account}`, key: id, payload, notAfter: null, cause: event }
  })
}

/** The answer to a question about contradictions, and to no operation of the payment. */
function isFetch(before: PaymentRecord | undefined, { data }: Answered): boolean {
  return data.call === 'find' && before?.state.operations[data.operation] === undefined
}

function decideAbsent(before: PaymentRecord, state: PaymentState, event: Answered): Decided {
  const { operation, account } = event.data
  const asked = state.operations[operation]?.asked ?? 0
  if (asked < ABSENT_ANSWERS_MAX) {
    // The first answer to a call may already be this one: where it was asked about instead of sent again.
    return inquireLater(before, record(state, { fact: 'unknown', operation, account, since: event.time }), event)
  }
  const code = 'never_received'
  return conclude(before, record(state, { fact: 'ended', operation, account, outcome: 'refused', code }), event, {
    code,
  })
}

/** The timer went off: asks the gateway about every call of which nobody knows. */
function ask(before: PaymentRecord, event: PaymentInput, ports: DecidePorts): Decided {
  const unknown = unknownOperations(before.state)
  const deliveries = unknown.flatMap((operation): NewDelivery[] => {
    const { account, asked } = operationOf(before.state, operation)
    const id = ports.operationId(before.id, `find/${operation}`, String(asked + 1))
    const payload = { call: 'find', operation, payment: before.id }
    return [{ id, destination: `gateway:${account}`, key: before.id, payload, notAfter: null, cause: event }]
  })
  const state = unknown.reduce((known, operation) => {
    const { account, asked } = operationOf(known, operation)
    return record(known, { fact: 'asked', operation, account, times: asked + 1 })
  }, before.state)
  return conclude(before, state, event, { deliveries })
}

function operationOf(state: PaymentState, operation: string) {
  const found = state.operations[operation]
  invariant(found, 'an unknown operation is one of the payment')
  return found
}

function inquireLater(before: PaymentRecord, state: PaymentState, event: Answered): Decided {
  const asked = state.operations[event.data.operation]?.asked ?? 0
  const pause = INQUIRY_PAUSES_MS[Math.min(asked, INQUIRY_PAUSES_MS.length - 1)] ?? 0
  const due = follow(event, events.inquiryDue, {})
  return conclude(before, state, event, {
    timers: [{ schedule: { id: inquiryTimer(before), at: event.time + pause, event: due } }],
  })
}

export function inquiryTimer({ tenant, mode, id }: PaymentRecord): string {
  return `payments/inquiry/${tenant}/${mode}/${id}`
}

type Extras = Partial<Decision> & { readonly code?: string | undefined }

/** Books what moved, says what changed, and lets go of the inquiry when there is nothing left to ask. */
function conclude(before: PaymentRecord, state: PaymentState, event: PaymentInput, extras: Extras = {}): Decided {
  const moved = changes(state.booked, movementsOf(state))
  const booked = { ...state, booked: book(state.booked, moved) }
  const status = statusOf(booked)
  const payment: PaymentRecord = { ...before, status, state: booked }
  const movements = moved.map((change) => movementFact(change, payment, event))
  const changed = status !== before.status && status !== 'rejected' && movements.length === 0
  const statusFact = changed ? [statusChanged(before, payment, event, extras.code)] : []
  return {
    payment,
    facts: [...(extras.facts ?? []), ...statusFact, ...movements],
    timers: [...(extras.timers ?? []), ...resolved(before, payment)],
    deliveries: extras.deliveries ?? [],
  }
}

function resolved(before: PaymentRecord, after: PaymentRecord): TimerChange[] {
  const isResolved = unknownOperations(before.state).length > 0 && unknownOperations(after.state).length === 0
  return isResolved ? [{ cancel: inquiryTimer(after) }] : []
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
  { key, kind, revision, account, object, delta, currency }: Change,
  payment: PaymentRecord,
  event: PaymentInput,
) {
  invariant(kind !== 'payout', 'a payout is no movement of a payment')
  const { merchant, status } = payment
  const data = { movement: key, revision, account, object, merchant, delta, currency, status, effectiveAt: event.time }
  return follow(event, factOf[kind], data, { part: `${key}#${revision}` })
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

/** Said of a payment that is not there: a firing of a timer nobody can have set. */
function unknownPayment(event: PaymentInput): never {
  invariant(false, `${event.type} names a payment that does not exist`)
}

function newRecord({ tenant, mode, key }: PaymentInput, merchant: string): PaymentRecord {
  const state = emptyPayment
  return { tenant, mode, id: key, merchant, customer: null, fingerprint: null, details: null, status: 'pending', state }
}
