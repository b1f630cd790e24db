import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { invariant } from '#kernel/invariant'
import type { LedgerRefusal, PostEntry, ReverseEntry } from './command.ts'

/** What is to be booked at a time: decided then, as if it were asked for then. */
export type ScheduledEntry = PostEntry | ReverseEntry

export type ScheduleState = 'scheduled' | 'booked' | 'refused' | 'canceled'

export type Schedule = {
  /** Of the entry that it is of. */
  readonly source: string
  /** Of the entry, too: that is how it is known among others under its id. */
  readonly fingerprint: string
  /** Unix milliseconds. */
  readonly dueAt: number
  readonly state: ScheduleState
  readonly refusal: LedgerRefusal | undefined
  /** Only where it is placed now: what was placed before is read by who books it. */
  readonly entry: ScheduledEntry | undefined
}

const Minor = Type.String({ pattern: '^-?[0-9]{1,30}$' })
const currency = Type.String({ pattern: '^[A-Z]{3}$' })
const on = { account: Type.String(), currency }

/** What makes up an entry that is not booked yet. Amounts are text, in minor units: JSON numbers end at 2^53. */
export const entryParts = {
  postings: Type.Array(Type.Object({ ...on, amount: Minor })),
  transfers: Type.Array(
    Type.Object({
      debit: Type.String(),
      credit: Type.String(),
      amount: Minor,
      currency,
      isSweep: Type.Optional(Type.Boolean()),
      leaves: Type.Optional(Minor),
    }),
  ),
  conditions: Type.Array(Type.Object({ ...on, atLeast: Type.Optional(Minor), atMost: Type.Optional(Minor) })),
}
const named = { id: Type.String(), fingerprint: Type.String(), effectiveAt: Type.Integer() }
const template = Type.Object({ name: Type.String(), version: Type.Integer() })
const KeptReversal = Type.Object({ ...named, kind: Type.Literal('reversal'), entry: Type.String() })
const KeptPosting = Type.Object({
  ...named,
  kind: Type.Literal('entry'),
  purpose: Type.String(),
  template: Type.Optional(template),
  ...entryParts,
})
/** As it is kept until it is due. */
export type KeptEntry = Static<typeof KeptReversal> | Static<typeof KeptPosting>
const isKept = Compile(Type.Union([KeptReversal, KeptPosting]))

export function keptEntry(entry: ScheduledEntry): KeptEntry {
  if (entry.kind === 'reversal') return entry
  const { postings, transfers, conditions, conversion, ...rest } = entry
  invariant(conversion === undefined, 'a conversion is booked at once, at the rate of its moment')
  return {
    ...rest,
    postings: postings.map((posting) => ({ ...posting, amount: `${posting.amount}` })),
    transfers: transfers.map(({ leaves, ...transfer }) => ({
      ...transfer,
      amount: `${transfer.amount}`,
      ...(leaves === undefined ? {} : { leaves: `${leaves}` }),
    })),
    conditions: conditions.map(({ account, currency, atLeast, atMost }) => ({
      account,
      currency,
      ...(atLeast === undefined ? {} : { atLeast: `${atLeast}` }),
      ...(atMost === undefined ? {} : { atMost: `${atMost}` }),
    })),
  }
}

export function entryIn(kept: unknown): ScheduledEntry {
  invariant(isKept.Check(kept), 'what was scheduled is as it was kept')
  if (kept.kind === 'reversal') return kept
  const { postings, transfers, conditions, ...rest } = kept
  return {
    ...rest,
    postings: postings.map((posting) => ({ ...posting, amount: BigInt(posting.amount) })),
    transfers: transfers.map(({ leaves, ...transfer }) => ({
      ...transfer,
      amount: BigInt(transfer.amount),
      ...(leaves === undefined ? {} : { leaves: BigInt(leaves) }),
    })),
    conditions: conditions.map(({ account, currency, atLeast, atMost }) => ({
      account,
      currency,
      ...(atLeast === undefined ? {} : { atLeast: BigInt(atLeast) }),
      ...(atMost === undefined ? {} : { atMost: BigInt(atMost) }),
    })),
  }
}
