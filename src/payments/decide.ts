import type { callAnswered } from '#gateways/events'
import { invariant, unreachable } from '#kernel/invariant'
import { type EventOf, follow, type NewDelivery } from '#log'
import { conclude, type Decided, type Extras, inquiryTimer, type PaymentInput } from './conclude.ts'
import { joinFetched } from './conflict.ts'
import { decideOperation } from './decide-operation.ts'
import { statusOf } from './derive.ts'
import * as events from './events.ts'
import { record } from './fact.ts'
import { fetches, isFetch } from './fetch.ts'
import { join } from './join.ts'
import { unknownOperations } from './operation.ts'
import type { DecidePorts, RiskVerdict } from './ports.ts'
import type { PaymentRecord } from './sql.ts'
import { emptyPayment, type PaymentState } from './state.ts'

type Requested = EventOf<typeof events.paymentRequested>
type Answered = EventOf<typeof callAnswered>

/** Pauses between inquiries, in ms; the last one repeats for ever: an unknown payment is never given up. */
const INQUIRY_PAUSES_MS = [5_000, 15_000, 60_000, 300_000, 3_600_000]
/** A gateway that has never heard of a call after this many questions did not get it. */
const ABSENT_ANSWERS_MAX = 3

/**
 * Decides what an event means for its payment. Pure: the same event on the same record decides the same. `renewed` is
 * the risk of a request whose verdict at the door is too old by now.
 */
export function decide(
  before: PaymentRecord | undefined,
  event: PaymentInput,
  now: number,
  ports: DecidePorts,
  renewed?: RiskVerdict,
): Decided {
  const decided = decideEvent(before, event, now, ports, renewed)
  return { ...decided, deliveries: [...decided.deliveries, ...fetches(before, decided.payment, event, ports)] }
}

function decideEvent(
  before: PaymentRecord | undefined,
  event: PaymentInput,
  now: number,
  ports: DecidePorts,
  renewed: RiskVerdict | undefined,
): Decided {
  switch (event.type) {
    case 'payment.requested':
      return decideRequest(before, event, now, ports, renewed)
    case 'payment.operation_requested':
      return before ? decideOperation(before, event, ports) : unknownPayment(event)
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

function decideRequest(
  before: PaymentRecord | undefined,
  event: Requested,
  now: number,
  ports: DecidePorts,
  renewed: RiskVerdict | undefined,
): Decided {
  const { data } = event
  if (before?.state.request) return repeated(before, event)

  const { amount, currency, captureMode, expiresAt, merchant, splits } = data
  const request = { amount, currency, captureMode, expiresAt, ...(splits ? { splits } : {}) }
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
  const { score, reasons, isRefused } = renewed ?? data.risk
  const facts = renewed
    ? [created, follow(event, events.riskRenewed, { score, reasons: [...reasons], isRefused })]
    : [created]
  const extras = { facts, merchantBefore: before?.merchant }
  if (isRefused) {
    const rejected = follow(event, events.paymentRejected, { score, reasons: [...reasons] })
    return conclude(known, record(requested, { fact: 'rejected' }), event, {
      ...extras,
      facts: [...facts, rejected],
    })
  }
  if (now > expiresAt) {
    return conclude(known, record(requested, { fact: 'expired' }), event, {
      ...extras,
      code: 'payment_expired',
    })
  }
  return execute(known, requested, event, extras, ports)
}

function execute(
  known: PaymentRecord,
  state: PaymentState,
  event: Requested,
  extras: Extras,
  ports: DecidePorts,
): Decided {
  // What a gateway has already reported under our reference is not done a second time.
  if (statusOf(state) !== 'pending') return conclude(known, state, event, extras)

  const account = ports.route({ tenant: event.tenant, mode: event.mode, currency: event.data.currency })
  const operation = ports.operationId(known.id, 'authorize', '1')
  if (account === undefined) {
    const ended = record(state, { fact: 'ended', operation, account: 'none', outcome: 'refused', code: 'no_gateway' })
    return conclude(known, ended, event, { ...extras, code: 'no_gateway' })
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
  return conclude(known, executing, event, { ...extras, deliveries: [delivery] })
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
  if (call === 'find') return decideFound(before, state, event)
  const about = { operation, account, ...(code === undefined ? {} : { code }) }
  switch (outcome) {
    case 'answered':
    case 'declined':
    case 'refused':
      return conclude(before, record(state, { fact: 'ended', outcome, ...about }), event, { code })
    case 'expired':
      return decideExpired(before, state, event)
    case 'unknown':
      return inquireLater(before, record(state, { fact: 'unknown', operation, account, since: event.time }), event)
    case 'absent':
      return decideAbsent(before, state, event)
    default:
      return unreachable(outcome)
  }
}

/** Never sent: its time was up. An authorization's time is the payment's. */
function decideExpired(before: PaymentRecord, state: PaymentState, event: Answered): Decided {
  const { operation, account } = event.data
  const isAuthorization = !state.operations[operation]?.request
  const code = isAuthorization ? 'payment_expired' : 'operation_expired'
  const ended = record(state, { fact: 'ended', operation, account, outcome: 'refused', code })
  return conclude(before, isAuthorization ? record(ended, { fact: 'expired' }) : ended, event, { code })
}

/**
 * The answer to a question. Only that the gateway knows the payment, or does not, says something: a question that it
 * refused, or did not answer, is put again.
 */
function decideFound(before: PaymentRecord, state: PaymentState, event: Answered): Decided {
  const { operation, account, outcome } = event.data
  const doubted = record(state, { fact: 'unknown', operation, account, since: event.time })
  if (!state.operations[operation]?.request) {
    if (outcome === 'answered')
      return conclude(before, record(state, { fact: 'ended', operation, account, outcome }), event)
    return outcome === 'absent' ? decideAbsent(before, state, event) : inquireLater(before, doubted, event)
  }
  // What the gateway holds accounts for a capture, cancellation or refund, or does not: knowing the payment is no yes.
  const isAccountedFor = !unknownOperations(doubted).includes(operation)
  if (isAccountedFor || outcome !== 'answered') return inquireLater(before, doubted, event)
  return decideAbsent(before, state, event)
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

/** Asks again, soon about what was asked about least. Where a report has told meanwhile, there is nothing to ask. */
function inquireLater(before: PaymentRecord, state: PaymentState, event: Answered): Decided {
  const unknown = unknownOperations(state)
  if (unknown.length === 0) return conclude(before, state, event)
  const asked = Math.min(...unknown.map((operation) => operationOf(state, operation).asked))
  const pause = INQUIRY_PAUSES_MS[Math.min(asked, INQUIRY_PAUSES_MS.length - 1)] ?? 0
  const due = follow(event, events.inquiryDue, {})
  return conclude(before, state, event, {
    timers: [{ schedule: { id: inquiryTimer(before), at: event.time + pause, event: due } }],
  })
}

/** Said of a payment that is not there: a firing of a timer nobody can have set. */
function unknownPayment(event: PaymentInput): never {
  invariant(false, `${event.type} names a payment that does not exist`)
}

function newRecord({ tenant, mode, key }: PaymentInput, merchant: string): PaymentRecord {
  const state = emptyPayment
  return { tenant, mode, id: key, merchant, customer: null, fingerprint: null, details: null, status: 'pending', state }
}
