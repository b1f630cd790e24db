import { invariant } from '#kernel/invariant'
import { fromMinorNumber } from '#kernel/money'
import { payable } from './entries/account-names.ts'
import { capture } from './entries/capture.ts'
import { dispute, disputeLost, disputeReinstated } from './entries/dispute.ts'
import { fee } from './entries/fee.ts'
import type { Legs, Parties } from './entries/legs.ts'
import { payout } from './entries/payout.ts'
import { refund } from './entries/refund.ts'

/** Debits are positive, credits negative; minor units. */
export type Posting = { readonly account: string; readonly amount: bigint; readonly currency: string }

export type Purpose = keyof typeof legsOf

/** Immutable. `source` names what it books: the same source is never booked twice. */
export type Entry = {
  readonly source: string
  readonly purpose: Purpose
  readonly postings: readonly Posting[]
  /** Unix milliseconds. */
  readonly effectiveAt: number
}

/** A change of a payment's or payout's money, as its owner reports it. */
export type MoneyChange = {
  readonly key: string
  readonly kind: Purpose
  readonly account: string
  readonly delta: number
  readonly currency: string
  readonly revision: number
  /** What of `delta` is others' than the merchant's. */
  readonly splits?: readonly SplitChange[]
}

/** Another merchant's, or an account's. */
export type SplitChange = { readonly merchant?: string; readonly account?: string; readonly delta: number }

const legsOf = {
  capture,
  fee,
  refund,
  dispute,
  dispute_reinstated: disputeReinstated,
  dispute_lost: disputeLost,
  payout,
} as const satisfies Record<string, (parties: Parties) => Legs>

/** The entry that books a change. Balanced by construction; a negative delta swaps the sides. */
export function entryFor(change: MoneyChange, about: { merchant: string; effectiveAt: number }): Entry {
  const { kind, account, delta, currency, splits = [] } = change
  invariant(delta !== 0, 'a change moves an amount that is not zero')
  const legs = legsOf[kind]({ merchant: about.merchant, account })
  const amount = fromMinorNumber(delta)
  const own = splits.length > 0 ? payable(about.merchant) : undefined
  const entry: Entry = {
    source: `${change.key}#${change.revision}`,
    purpose: kind,
    postings: [
      { account: legs.debit, amount, currency },
      { account: legs.credit, amount: -amount, currency },
    ].flatMap((leg) => (leg.account === own ? shared(leg, amount, splits) : [leg])),
    effectiveAt: about.effectiveAt,
  }
  invariant(balanced(entry), 'debits equal credits in each currency of an entry')
  return entry
}

/** The merchant's leg with what is others' taken out of it, on the same side. */
function shared(leg: Posting, amount: bigint, splits: readonly SplitChange[]): Posting[] {
  const sign = leg.amount === amount ? 1n : -1n
  const others = splits.map(({ merchant, account, delta }) => {
    const name = merchant === undefined ? account : payable(merchant)
    invariant(name !== undefined, 'a split names a merchant or an account')
    return { ...leg, account: name, amount: sign * fromMinorNumber(delta) }
  })
  const rest = others.reduce((sum, other) => sum - other.amount, leg.amount)
  return [{ ...leg, amount: rest }, ...others].filter((posting) => posting.amount !== 0n)
}

/** True when the postings of each currency add up to zero. An entry of no postings books nothing and is not. */
export function balanced(entry: Pick<Entry, 'postings'>): boolean {
  const sums = new Map<string, bigint>()
  for (const { currency, amount } of entry.postings) sums.set(currency, (sums.get(currency) ?? 0n) + amount)
  return sums.size > 0 && [...sums.values()].every((sum) => sum === 0n)
}
