import { Type } from 'typebox'
import { eventType } from '#log'
import { entryParts } from './schedule.ts'

const Minor = Type.String({ pattern: '^-?[0-9]{1,30}$' })
const Whole = Type.String({ pattern: '^-?[0-9]{1,60}$' })
const currency = Type.String({ pattern: '^[A-Z]{3}$' })
const leg = Type.Object({ account: Type.String(), amount: Minor, currency })
/** Whole units of one currency for one of another; `effectiveAt` in Unix milliseconds. */
const rate = Type.Object({ numerator: Whole, denominator: Whole, source: Type.String(), effectiveAt: Type.Integer() })
const conversion = Type.Object({
  debit: leg,
  credit: leg,
  /** The side whose amount was asked for. */
  given: Type.Union([Type.Literal('debit'), Type.Literal('credit')]),
  /** Of the credited currency for one of the debited. */
  rate,
  /** When the rate was quoted; Unix milliseconds. */
  quotedAt: Type.Optional(Type.Integer()),
  /** What the other side comes to exactly, less what was booked; in its minor units. */
  remainder: Type.Object({ numerator: Whole, denominator: Whole }),
})

/** An entry was booked. Amounts are text, because sums may pass 2^53. Key: payment, else the entry's source. */
export const entryPosted = eventType({
  type: 'ledger.entry_posted',
  topic: 'ledger',
  schema: Type.Object({
    entry: Type.String(),
    source: Type.String(),
    purpose: Type.String(),
    /** Unix milliseconds. */
    effectiveAt: Type.Integer(),
    /** Source of the entry that it undoes. */
    reverses: Type.Optional(Type.String()),
    hold: Type.Optional(Type.String()),
    conversion: Type.Optional(conversion),
    /** What its postings were made by. */
    template: Type.Optional(Type.Object({ name: Type.String(), version: Type.Integer({ minimum: 1 }) })),
    postings: Type.Array(
      Type.Object({
        account: Type.String(),
        /** Debits positive, credits negative, minor units. */
        amount: Type.String({ pattern: '^-?[0-9]{1,30}$' }),
        currency: Type.String({ pattern: '^[A-Z]{3}$' }),
      }),
      { minItems: 2 },
    ),
  }),
})

const Amount = Type.String({ pattern: '^[0-9]{1,30}$' })

/** An amount was set aside: it counts in every limit of both accounts until it ends. Key: `hold/` and its id. */
export const holdPlaced = eventType({
  type: 'ledger.hold_placed',
  topic: 'ledger',
  schema: Type.Object({
    hold: Type.String(),
    purpose: Type.String(),
    debit: Type.String(),
    credit: Type.String(),
    amount: Amount,
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    /** Unix milliseconds. */
    expiresAt: Type.Optional(Type.Integer()),
  }),
})

/** A hold is over: posted, in part or whole, as the entry of the source named; voided; or expired. Key: as before. */
export const holdEnded = eventType({
  type: 'ledger.hold_ended',
  topic: 'ledger',
  schema: Type.Object({
    hold: Type.String(),
    state: Type.Union([Type.Literal('posted'), Type.Literal('voided'), Type.Literal('expired')]),
    source: Type.Optional(Type.String()),
  }),
})

/** The time of a hold is over. Key: as before. */
export const holdDue = eventType({
  type: 'ledger.hold_due',
  topic: 'ledger.timers',
  schema: Type.Object({ hold: Type.String() }),
})

/** Something is to be booked at a time. Key: the source of the entry that it will be. */
export const entryScheduled = eventType({
  type: 'ledger.entry_scheduled',
  topic: 'ledger',
  schema: Type.Object({
    source: Type.String(),
    /** Unix milliseconds. */
    dueAt: Type.Integer(),
    purpose: Type.String(),
    /** Source of the entry that it will undo; then it has no parts of its own. */
    reverses: Type.Optional(Type.String()),
    postings: Type.Optional(entryParts.postings),
    transfers: Type.Optional(entryParts.transfers),
    conditions: Type.Optional(entryParts.conditions),
  }),
})

/** What was scheduled is over: booked, refused when it was due, or taken back before. Key: as before. */
export const scheduleEnded = eventType({
  type: 'ledger.schedule_ended',
  topic: 'ledger',
  schema: Type.Object({
    source: Type.String(),
    state: Type.Union([Type.Literal('booked'), Type.Literal('refused'), Type.Literal('canceled')]),
    /** Its code, and what goes with it. */
    refusal: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
})

/** The time of what was scheduled has come. Key: as before. */
export const scheduleDue = eventType({
  type: 'ledger.schedule_due',
  topic: 'ledger.timers',
  schema: Type.Object({ source: Type.String() }),
})

const Limit = Type.String({ pattern: '^-?[0-9]{1,30}$' })
const account = Type.Object({
  account: Type.String(),
  type: Type.String(),
  normalSide: Type.Union([Type.Literal('debit'), Type.Literal('credit')]),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$' })),
  parent: Type.Optional(Type.String()),
  /** Of what is available on the normal side, minor units. */
  floor: Type.Optional(Limit),
  ceiling: Type.Optional(Limit),
  isGuarded: Type.Boolean(),
  isClosed: Type.Boolean(),
})

/** Somebody opened an account of the ledger. Key: `account/` and its name. */
export const accountOpened = eventType({ type: 'ledger.account_opened', topic: 'ledger', schema: account })

/** Its limits were changed, or it was closed or opened again: as it is now. Key: as before. */
export const accountChanged = eventType({ type: 'ledger.account_changed', topic: 'ledger', schema: account })

/**
 * A position in a currency was valued at the end of a day, and its gains in the base currency booked: by what, beside the
 * entries themselves. Key: `revaluation/`, the base and the currency.
 */
export const positionRevalued = eventType({
  type: 'ledger.position_revalued',
  topic: 'ledger',
  schema: Type.Object({
    base: currency,
    currency,
    day: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }),
    /** What we were long, in minor units of the currency; below zero where we owed it. */
    quantity: Minor,
    /** In minor units of the base currency, as the rest. */
    cost: Minor,
    value: Minor,
    /** What of the gain was not in the books before. */
    realised: Minor,
    unrealised: Minor,
    /** Absent where nothing was left of the position. */
    rate: Type.Optional(rate),
    /** Sources of what was booked; that of an unrealised gain is undone as the next day begins. */
    entries: Type.Array(Type.String()),
  }),
})

/** Nothing is booked with an effective time up to it any more. Key: `period`. */
export const periodClosed = eventType({
  type: 'ledger.period_closed',
  topic: 'ledger',
  schema: Type.Object({
    /** Unix milliseconds. */
    through: Type.Integer(),
  }),
})

/** What was closed is open again, all of it or what is behind `through`. Key: `period`. */
export const periodReopened = eventType({
  type: 'ledger.period_reopened',
  topic: 'ledger',
  schema: Type.Object({
    /** Unix milliseconds. */
    was: Type.Integer(),
    through: Type.Optional(Type.Integer()),
    reason: Type.String(),
  }),
})
