import type { Conversion } from './conversion.ts'
import type { Posting } from './entry.ts'
import type { ScheduleState } from './schedule.ts'
import type { TemplateRef } from './template.ts'

/** An amount between two different accounts: `debit` is debited, `credit` credited. Minor units, above zero. */
export type Transfer = {
  readonly debit: string
  readonly credit: string
  readonly amount: bigint
  readonly currency: string
  /** Moves what there is, up to the amount, as far as the limits of both accounts allow. */
  readonly isSweep?: boolean
  /** What the debited account, a guarded one, must have available after it, whatever its floor. */
  readonly leaves?: bigint
}

/** Holds only if the guarded account has so much available before the entry, in minor units. */
export type Condition = {
  readonly account: string
  readonly currency: string
  readonly atLeast?: bigint
  readonly atMost?: bigint
}

type Named = {
  /** The caller's; a command under it is done once. */
  readonly id: string
  /** Digest of all that was asked: the same id with another is a mistake. */
  readonly fingerprint: string
}

export type PostEntry = Named & {
  readonly kind: 'entry'
  readonly purpose: string
  readonly postings: readonly Posting[]
  readonly transfers: readonly Transfer[]
  readonly conditions: readonly Condition[]
  /** Unix milliseconds. */
  readonly effectiveAt: number
  /** What its postings convert. */
  readonly conversion?: Conversion
  /** What made its postings. */
  readonly template?: TemplateRef
}

/** Books the opposite of an entry, once: the only correction there is. */
export type ReverseEntry = Named & {
  readonly kind: 'reversal'
  /** Source of the entry. */
  readonly entry: string
  readonly effectiveAt: number
}

/** Sets an amount aside until it is posted, voided or over. Counted in every limit from now on. */
export type PlaceHold = Named & {
  readonly kind: 'hold'
  readonly purpose: string
  readonly transfer: Transfer
  readonly conditions: readonly Condition[]
  /** Unix milliseconds; undefined: it is held until somebody decides. */
  readonly expiresAt: number | undefined
}

/** Posts a hold, whole or in part; the rest is released. */
export type PostHold = Named & {
  readonly kind: 'hold_post'
  readonly hold: string
  /** Undefined: all of it. */
  readonly amount: bigint | undefined
  readonly effectiveAt: number
}

export type VoidHold = Named & { readonly kind: 'hold_void'; readonly hold: string; readonly isExpiry: boolean }

/** Has an entry booked at a time, if it can be booked then. */
export type ScheduleEntry = Named & {
  readonly kind: 'schedule'
  readonly entry: PostEntry | ReverseEntry
  /** Unix milliseconds, both. */
  readonly askedAt: number
  readonly dueAt: number
}

/** Takes back what was scheduled under the id. */
export type CancelSchedule = Named & { readonly kind: 'schedule_cancel' }

export type Command = PostEntry | ReverseEntry | PlaceHold | PostHold | VoidHold | ScheduleEntry | CancelSchedule

/** Why a command was not done. Exact: who asks again knows what would have to be different. */
export type LedgerRefusal =
  | { readonly code: 'account_unknown' | 'account_closed'; readonly account: string }
  | {
      readonly code: 'currency_mismatch'
      readonly account: string
      readonly currency: string
      readonly expected: string
    }
  | { readonly code: 'unbalanced'; readonly currency: string; readonly difference: bigint }
  | {
      readonly code: 'insufficient_funds' | 'ceiling_exceeded'
      readonly account: string
      readonly currency: string
      /** What could still leave, or come in. */
      readonly available: bigint
      readonly needed: bigint
    }
  | {
      readonly code: 'condition_failed'
      readonly account: string
      readonly currency: string
      readonly available: bigint
    }
  | { readonly code: 'account_not_guarded'; readonly account: string }
  | { readonly code: 'period_closed'; readonly closedThrough: number }
  | { readonly code: 'id_reused'; readonly id: string }
  | { readonly code: 'entry_unknown' | 'entry_reversed' | 'hold_unknown'; readonly id: string }
  | { readonly code: 'hold_ended'; readonly id: string; readonly state: HoldState }
  | { readonly code: 'hold_exceeded'; readonly id: string; readonly available: bigint; readonly needed: bigint }
  | { readonly code: 'schedule_unknown' | 'schedule_passed'; readonly id: string }
  | { readonly code: 'schedule_ended'; readonly id: string; readonly state: ScheduleState }
  /** Another command of the same linked group was refused. */
  | { readonly code: 'linked_refused'; readonly id: string }

export type HoldState = 'held' | 'posted' | 'voided' | 'expired'

export type Outcome =
  | {
      readonly status: 'done'
      readonly id: string
      readonly entry: string | undefined
      readonly isRepeated: boolean
      /** Of what was asked for at a time: what has become of it by now. */
      readonly schedule?: ScheduleState
    }
  | { readonly status: 'refused'; readonly refusal: LedgerRefusal }
