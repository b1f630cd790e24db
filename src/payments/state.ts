import type { OperationRequested, PaymentRequested } from './events.ts'
import type { StatusOf } from './ranks.ts'
import type { Tracked } from './tracked.ts'

/** Gateway account and the gateway's id of the object: `<account>/<id>`. */
export type ObjectKey = `${string}/${string}`

export type IntentState = Tracked<StatusOf<'intent'>> & {
  /** The amount it named when it had succeeded: less than `amount` after a partial capture. */
  readonly received: number
}
export type ChargeState = Tracked<StatusOf<'charge'>> & {
  readonly captured: number
  readonly refunded: number
  readonly failures: readonly string[]
}
export type RefundState = Tracked<StatusOf<'refund'>> & {
  readonly failures: readonly string[]
  /** Operations of ours that asked for it: one, or none where it was made at the gateway. */
  readonly operations: readonly string[]
}
export type DisputeState = Tracked<StatusOf<'dispute'>> & {
  readonly withdrawn: boolean
  readonly reinstated: boolean
  readonly reasons: readonly string[]
}
export type FeeState = Tracked<never>

/** What gateways have said of the payment, each object for itself. */
export type PaymentObjects = {
  readonly intents: Readonly<Record<ObjectKey, IntentState>>
  readonly charges: Readonly<Record<ObjectKey, ChargeState>>
  readonly refunds: Readonly<Record<ObjectKey, RefundState>>
  readonly disputes: Readonly<Record<ObjectKey, DisputeState>>
  readonly fees: Readonly<Record<ObjectKey, FeeState>>
}

export type PaymentRequest = {
  readonly amount: number
  readonly currency: string
  readonly captureMode: 'automatic' | 'manual'
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** Absent: all of it is the merchant's. */
  readonly splits?: readonly Split[]
}

/** What another merchant, or an account of the ledger, has of the whole amount, in minor units. */
export type Split = NonNullable<PaymentRequested['splits']>[number]

/** How a call to a gateway ended; `refused`: it surely did nothing, or the gateway has never heard of it. */
export type OperationOutcome = 'answered' | 'declined' | 'refused'

export type RefundReason = NonNullable<OperationRequested['reason']>

/** What was asked of us beyond the payment itself: to take what is held, to let it go, to give money back. */
export type OperationRequest = {
  readonly call: 'capture' | 'cancel' | 'refund'
  /** Minor units of `currency`; null where that was not to be known. */
  readonly amount: number | null
  readonly currency: string | null
  /** The gateway's intent, or charge for a refund; null for what was refused before there was one. */
  readonly object: string | null
  readonly reason: RefundReason | null
  /** Who gives how much of a refund, and the merchant the rest; absent: each by what they have of the payment. */
  readonly splits?: readonly Split[]
  /** Keyed digest of the body: tells a repetition from a conflict. */
  readonly fingerprint: string
  /** When it was asked for, in Unix milliseconds. */
  readonly at: number
}

/** One thing we asked of a gateway. It may have been sent many times under its one id. */
export type Operation = {
  readonly account: string
  /** Null for the authorization, which is asked for by the payment's own request. */
  readonly request: OperationRequest | null
  /** When it was first not known whether it took place, in Unix milliseconds. */
  readonly unknownSince: number | null
  /** How often the gateway was asked what became of it. */
  readonly asked: number
  readonly outcomes: readonly OperationOutcome[]
  readonly codes: readonly string[]
}

export type MovementKind = 'capture' | 'fee' | 'refund' | 'dispute' | 'dispute_reinstated' | 'dispute_lost' | 'payout'

/** `<kind>/<account>/<object>/<currency>`. The currency is part of it, so a key's deltas can be summed. */
export type MovementKey = `${MovementKind}/${string}/${string}/${string}`

/** Money of one kind that an object has moved in all, as it is known now. Never zero, never negative. */
export type Movement = {
  readonly key: MovementKey
  readonly kind: MovementKind
  readonly object: string
  readonly account: string
  readonly amount: number
  readonly currency: string
}

/** A movement as the books have it; its amount may be back at zero. `revision` counts its bookings. */
export type BookedMovement = Movement & {
  readonly revision: number
  /** What of it was booked for each of the request's splits, in their order; absent: all is the merchant's. */
  readonly parts?: readonly number[]
}
export type Booked = Readonly<Record<MovementKey, BookedMovement>>

/**
 * All we know of one payment; plain JSON. Everything but `booked` only grows, so a fact that comes
 * late, twice or out of order changes nothing that it would not have changed at its own time.
 */
export type PaymentState = {
  readonly request: PaymentRequest | null
  /** Refused by the risk rules. */
  readonly rejected: boolean
  /** Refused at execution because its time was up. */
  readonly expired: boolean
  readonly operations: Readonly<Record<string, Operation>>
  readonly objects: PaymentObjects
  readonly booked: Booked
}

export const emptyPayment: PaymentState = {
  request: null,
  rejected: false,
  expired: false,
  operations: {},
  objects: { intents: {}, charges: {}, refunds: {}, disputes: {}, fees: {} },
  booked: {},
}

export function objectKey(account: string, id: string): ObjectKey {
  return `${account}/${id}`
}
