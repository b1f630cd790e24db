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

/** No rate holds: nobody ever said one, or the last, of the day named, is too old. */
export type NoRate = { readonly lastDay: string | undefined }

/** The port to exchange rates: an answer for each question, in their order. */
export type RatesAt = (whose: Whose, asks: readonly RateAsk[]) => Promise<readonly (Rate | NoRate)[]>

/** @throws Refusal `rate_unknown` or `rate_stale`, where no rate holds. */
export function knownRate(found: Rate | NoRate | undefined, { from, to, at }: RateAsk): Rate {
  if (found && 'numerator' in found) return found
  const day = dayOf(at)
  const last = found?.lastDay
  if (last === undefined) {
    const detail = `no rate from ${from} to ${to} is known for ${day}`
    throw new Refusal('rate_unknown', { detail, members: { from, to, at: day } })
  }
  const detail = `the last rate from ${from} to ${to} before ${day} is of ${last}, which is too long ago`
  throw new Refusal('rate_stale', { detail, members: { from, to, at: day, last } })
}

/** As JSON, in events, rows and answers alike. */
export function rateJson({ numerator, denominator, source, effectiveAt }: Rate) {
  return { numerator: `${numerator}`, denominator: `${denominator}`, source, effectiveAt }
}

/** Undoes `rateJson`. */
export function rateIn({ numerator, denominator, ...about }: ReturnType<typeof rateJson>): Rate {
  return { ...about, numerator: BigInt(numerator), denominator: BigInt(denominator) }
}
