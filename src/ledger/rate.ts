import { dayOf } from '#kernel/day'
import { Refusal } from '#kernel/errors'
import type { Fraction } from '#kernel/fraction'
import type { Whose } from './book-sql.ts'

/** Whole units of one currency for one whole unit of another, as a source says for a day. */
export type Rate = Fraction & {
  readonly source: string
  /** Unix milliseconds. */
  readonly effectiveAt: number
}

export type RateAsk = { readonly from: string; readonly to: string; readonly at: number }

/** The port to exchange rates: undefined for what nobody has said. */
export type RatesAt = (whose: Whose, asks: readonly RateAsk[]) => Promise<readonly (Rate | undefined)[]>

/** @throws Refusal `rate_unknown`. */
export function unknownRate(from: string, to: string, at: number): never {
  const day = dayOf(at)
  throw new Refusal('rate_unknown', {
    detail: `no rate from ${from} to ${to} is known for ${day}`,
    members: { from, to, at: day },
  })
}
