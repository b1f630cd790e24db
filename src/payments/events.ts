import { Type } from 'typebox'
import { type DataOf, eventType } from '#log'

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Delta = Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER })
const Currency = Type.String({ pattern: '^[A-Z]{3}$' })
const Code = Type.String({ pattern: '^[a-z0-9_]{1,64}$' })
const Milliseconds = Type.Integer({ minimum: 0 })
const CaptureMode = Type.Union([Type.Literal('automatic'), Type.Literal('manual')])

/** Who has something of a payment besides its merchant: another merchant, or an account of the ledger. One of the two. */
const party = { merchant: Type.Optional(Type.String()), account: Type.Optional(Type.String()) }
/** What they have of the whole amount, in minor units. */
const Splits = Type.Array(Type.Object({ ...party, amount: Amount }), { maxItems: 50 })

/** A payment as somebody asked for it at the door. Key: payment. */
export const paymentRequested = eventType({
  type: 'payment.requested',
  topic: 'payments.inbox',
  sealed: ['details', 'paymentMethod'],
  schema: Type.Object({
    amount: Amount,
    currency: Currency,
    merchant: Type.String(),
    /** Keyed digest of the customer reference. */
    customer: Type.Optional(Type.String()),
    captureMode: CaptureMode,
    expiresAt: Milliseconds,
    /** Absent: all of it is the merchant's. */
    splits: Type.Optional(Splits),
    /** Keyed digest of the canonical body: tells a repetition from a conflict. */
    fingerprint: Type.String(),
    risk: Type.Object({
      score: Type.Number(),
      reasons: Type.Array(Code),
      isRefused: Type.Boolean(),
      /** By the door's clock: the event may have waited in a spool. */
      assessedAt: Type.Optional(Milliseconds),
    }),
    /** Customer, description and metadata. */
    details: Type.String(),
    paymentMethod: Type.String(),
  }),
})
export type PaymentRequested = DataOf<typeof paymentRequested>

const OperationId = Type.String({ pattern: '^op_[0-9a-z]{1,64}$' })

/** What may be asked of a payment that is there. */
const OperationCall = Type.Union([Type.Literal('capture'), Type.Literal('cancel'), Type.Literal('refund')])

const RefundReason = Type.Union([
  Type.Literal('duplicate'),
  Type.Literal('fraudulent'),
  Type.Literal('requested_by_customer'),
])

/** Somebody asked at the door for something to be done with a payment. Key: payment. */
export const operationRequested = eventType({
  type: 'payment.operation_requested',
  topic: 'payments.inbox',
  schema: Type.Object({
    operation: OperationId,
    call: OperationCall,
    /** All there is, where it is not given. */
    amount: Type.Optional(Amount),
    reason: Type.Optional(RefundReason),
    /** Who gives how much of a refund, and the merchant the rest; absent: each by what they have of the payment. */
    splits: Type.Optional(Splits),
    /** Past it a capture is not made; the others have no such time. */
    expiresAt: Type.Optional(Milliseconds),
    /** Keyed digest of the canonical body: tells a repetition from a conflict. */
    fingerprint: Type.String(),
  }),
})
export type OperationRequested = DataOf<typeof operationRequested>

/** A payment exists. Key: payment, as for every fact of this module but payouts. */
export const paymentCreated = eventType({
  type: 'payment.created',
  topic: 'payments',
  schema: Type.Object({
    amount: Amount,
    currency: Currency,
    merchant: Type.String(),
    customer: Type.Optional(Type.String()),
    captureMode: CaptureMode,
    expiresAt: Milliseconds,
    splits: Type.Optional(Splits),
  }),
})

/** The risk rules refused it; the idempotency key is spent. */
export const paymentRejected = eventType({
  type: 'payment.rejected',
  topic: 'payments',
  schema: Type.Object({ score: Type.Number(), reasons: Type.Array(Code) }),
})

/** The risk was assessed anew at execution, the verdict at the door being too old. */
export const riskRenewed = eventType({
  type: 'payment.risk_renewed',
  topic: 'payments',
  schema: Type.Object({ score: Type.Number(), reasons: Type.Array(Code), isRefused: Type.Boolean() }),
})

const Status = Type.Union([
  Type.Literal('pending'),
  Type.Literal('authorized'),
  Type.Literal('captured'),
  Type.Literal('partially_refunded'),
  Type.Literal('refunded'),
  Type.Literal('disputed'),
  Type.Literal('rejected'),
  Type.Literal('failed'),
  Type.Literal('canceled'),
  Type.Literal('expired'),
  Type.Literal('unknown'),
])

/** The status changed without money moving: authorized, failed, canceled, expired, unknown … */
export const paymentStatusChanged = eventType({
  type: 'payment.status_changed',
  topic: 'payments',
  schema: Type.Object({ from: Status, to: Status, code: Type.Optional(Code) }),
})

/**
 * An operation came to stand otherwise: begun (`pending`), in doubt, or over. Each carries all that is known of it,
 * so that a reader needs only the last.
 */
export const operationChanged = eventType({
  type: 'payment.operation_changed',
  topic: 'payments',
  schema: Type.Object({
    operation: Type.String(),
    call: Type.Union([Type.Literal('authorize'), ...OperationCall.anyOf]),
    account: Type.String(),
    amount: Type.Optional(Amount),
    currency: Type.Optional(Currency),
    reason: Type.Optional(RefundReason),
    status: Type.Union([
      Type.Literal('pending'),
      Type.Literal('succeeded'),
      Type.Literal('failed'),
      Type.Literal('unknown'),
      Type.Literal('refused'),
    ]),
    code: Type.Optional(Code),
  }),
})

/** The same request again: nothing was done. */
export const paymentDuplicateIgnored = eventType({
  type: 'payment.duplicate_ignored',
  topic: 'payments',
  schema: Type.Object({ request: Type.String() }),
})

/** Another body under a spent idempotency key: nothing was done. */
export const paymentConflictIgnored = eventType({
  type: 'payment.conflict_ignored',
  topic: 'payments',
  schema: Type.Object({ request: Type.String(), fingerprint: Type.String() }),
})

/**
 * Money of a payment moved, or turned out to have moved otherwise than was said: `delta` is what to
 * add to what was booked under `movement`, negative for a correction. `movement` and `revision`
 * together name the booking; revisions of a movement are 1, 2, 3 … without gaps.
 */
const Movement = Type.Object({
  movement: Type.String(),
  revision: Type.Integer({ minimum: 1 }),
  account: Type.String(),
  object: Type.String(),
  merchant: Type.String(),
  delta: Delta,
  currency: Currency,
  /** What of `delta` is others' than the merchant's. */
  splits: Type.Optional(Type.Array(Type.Object({ ...party, delta: Delta }), { maxItems: 50 })),
  /** The payment's status with this and all before. */
  status: Status,
  /** When the event that told of it was appended, Unix milliseconds. */
  effectiveAt: Milliseconds,
})

const moved = <const Name extends string>(type: Name) => eventType({ type, topic: 'payments', schema: Movement })

export const paymentCaptured = moved('payment.captured')
export const paymentFeeCharged = moved('payment.fee_charged')
export const paymentRefunded = moved('payment.refunded')
export const paymentDisputed = moved('payment.disputed')
export const paymentDisputeReinstated = moved('payment.dispute_reinstated')
export const paymentDisputeLost = moved('payment.dispute_lost')

/** A gateway paid out to the bank, or took it back (`delta` negative). Key: payout. */
export const payoutPaid = eventType({
  type: 'payout.paid',
  topic: 'payouts',
  schema: Type.Object({
    movement: Type.String(),
    revision: Type.Integer({ minimum: 1 }),
    account: Type.String(),
    object: Type.String(),
    delta: Delta,
    currency: Currency,
    effectiveAt: Milliseconds,
  }),
})

/** Nobody knows what became of a call: time to ask. Key: payment. */
export const inquiryDue = eventType({
  type: 'payment.inquiry_due',
  topic: 'payments.timers',
  schema: Type.Object({}),
})
