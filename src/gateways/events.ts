import { type Static, Type } from 'typebox'
import { eventType } from '#log'

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Currency = Type.String({ pattern: '^[A-Z]{3}$' })
const Code = Type.String({ pattern: '^[a-z0-9_]{1,64}$' })
/** A gateway's id, or a keyed digest of it where it does not have the shape of one. */
const ObjectId = Type.String({ pattern: '^[A-Za-z0-9_]{1,255}$' })

const OperationId = Type.String({ pattern: '^op_[0-9a-z]{1,64}$' })

const about = { id: ObjectId, parents: Type.Array(ObjectId), amount: Amount, currency: Currency }

const IntentReport = Type.Object({
  kind: Type.Literal('intent'),
  ...about,
  status: Type.Union([
    Type.Literal('requires_payment_method'),
    Type.Literal('requires_confirmation'),
    Type.Literal('requires_action'),
    Type.Literal('processing'),
    /** The last try failed, and another may be made: said of one that failed before there was a charge, too. */
    Type.Literal('failed'),
    Type.Literal('requires_capture'),
    Type.Literal('succeeded'),
    Type.Literal('canceled'),
  ]),
})

const ChargeReport = Type.Object({
  kind: Type.Literal('charge'),
  ...about,
  status: Type.Union([
    Type.Literal('pending'),
    Type.Literal('authorized'),
    Type.Literal('captured'),
    Type.Literal('failed'),
    Type.Literal('voided'),
  ]),
  /** Captured so far. */
  captured: Amount,
  /** Refunded so far, by refunds this report may not name. */
  refunded: Amount,
  failure: Type.Optional(Code),
})

const RefundReport = Type.Object({
  kind: Type.Literal('refund'),
  ...about,
  status: Type.Union([
    Type.Literal('pending'),
    Type.Literal('succeeded'),
    Type.Literal('failed'),
    Type.Literal('canceled'),
  ]),
  failure: Type.Optional(Code),
  /** The operation of ours that asked for it, where the gateway carries it for us. */
  operation: Type.Optional(OperationId),
})

const DisputeReport = Type.Object({
  kind: Type.Literal('dispute'),
  ...about,
  /** `inquiry` takes no money: an early warning that may be answered. */
  status: Type.Union([
    Type.Literal('inquiry'),
    Type.Literal('needs_response'),
    Type.Literal('under_review'),
    Type.Literal('won'),
    Type.Literal('lost'),
    Type.Literal('closed'),
  ]),
  /** The gateway has taken the disputed money. */
  withdrawn: Type.Boolean(),
  /** The gateway has given it back. */
  reinstated: Type.Boolean(),
  reason: Type.Optional(Code),
})

const FeeReport = Type.Object({ kind: Type.Literal('fee'), ...about })

const PayoutReport = Type.Object({
  kind: Type.Literal('payout'),
  ...about,
  status: Type.Union([
    Type.Literal('pending'),
    Type.Literal('in_transit'),
    Type.Literal('paid'),
    Type.Literal('failed'),
    Type.Literal('canceled'),
  ]),
})

/**
 * What a gateway says of one of its objects, in our words. A join over any number of them, in any
 * order and repetition, gives the object's state. `parents` are gateway objects of the same
 * payment, nearest first (a refund names its charge, a charge its intent).
 */
export const ObjectReport = Type.Union([
  IntentReport,
  ChargeReport,
  RefundReport,
  DisputeReport,
  FeeReport,
  PayoutReport,
])
export type ObjectReport = Static<typeof ObjectReport>
export type ReportOf<Kind extends ObjectReport['kind']> = Extract<ObjectReport, { kind: Kind }>

/** A webhook as the door took it: authentic, mapped, its body sealed beside it. Key: gateway account and root object. */
export const eventReceived = eventType({
  type: 'gateway.event_received',
  topic: 'gateway.inbox',
  attachment: 'The bytes of the webhook as they came.',
  schema: Type.Object({
    gateway: Type.String(),
    account: Type.String(),
    /** The gateway's own id of the event. */
    eventId: ObjectId,
    /** The gateway's own name of the event, as in `charge.refunded`. */
    eventType: Type.String({ pattern: '^[a-z0-9_.]{1,128}$' }),
    /** Merchant of payments that did not start here. */
    merchant: Type.String(),
    /** Our payment id, where the gateway carries it for us. */
    payment: Type.Optional(Type.String()),
    reports: Type.Array(ObjectReport),
  }),
})

/** What a gateway says of a payment's object, placed on its payment. Key: payment. */
export const objectReported = eventType({
  type: 'gateway.object_reported',
  topic: 'gateway.facts',
  schema: Type.Object({
    gateway: Type.String(),
    account: Type.String(),
    merchant: Type.String(),
    eventId: ObjectId,
    reports: Type.Array(ObjectReport),
  }),
})

/** What a gateway says of a payout. Key: payout. */
export const payoutReported = eventType({
  type: 'gateway.payout_reported',
  topic: 'gateway.facts',
  schema: Type.Object({
    gateway: Type.String(),
    account: Type.String(),
    eventId: ObjectId,
    reports: Type.Array(PayoutReport),
  }),
})

/**
 * How a call to a gateway ended. `unknown`: it may have taken place; `refused`: it surely did not;
 * `absent`: asked about, the gateway has never heard of it; `expired`: never sent, its time was up.
 * What was only asked about has the call `find`, whatever the operation is. Key: payment.
 */
export const callAnswered = eventType({
  type: 'gateway.call_answered',
  topic: 'gateway.results',
  schema: Type.Object({
    gateway: Type.String(),
    account: Type.String(),
    merchant: Type.String(),
    call: Type.Union([
      Type.Literal('authorize'),
      Type.Literal('capture'),
      Type.Literal('cancel'),
      Type.Literal('refund'),
      Type.Literal('find'),
    ]),
    operation: Type.String(),
    outcome: Type.Union([
      Type.Literal('answered'),
      Type.Literal('declined'),
      Type.Literal('unknown'),
      Type.Literal('refused'),
      Type.Literal('absent'),
      Type.Literal('expired'),
    ]),
    code: Type.Optional(Code),
    reports: Type.Array(ObjectReport),
  }),
})
