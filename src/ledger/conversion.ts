import { exponentOf, parseCurrency } from '#kernel/currency'
import { type Fraction, reduced } from '#kernel/fraction'
import { invariant } from '#kernel/invariant'
import { money, multiplyRatio } from '#kernel/money'
import { positionAccount } from './accounts.ts'
import type { Posting } from './entry.ts'
import { type Rate, rateIn, rateJson } from './rate.ts'

type Leg = { readonly account: string; readonly currency: string; readonly amount: bigint }

/** What was given in one currency and taken in another, and by which rate. Kept for good with the entry that books it. */
export type Conversion = {
  /** Debited and credited, in minor units of a currency each. */
  readonly debit: Leg
  readonly credit: Leg
  /** The side whose amount was asked for; the other is what it comes to. */
  readonly given: 'debit' | 'credit'
  /** Whole units of the credited currency for one of the debited. */
  readonly rate: Rate
  /** When the rate was quoted, in Unix milliseconds; absent where it was not. */
  readonly quotedAt?: number
  /** What the other side comes to exactly, less what was booked: at most half a minor unit either way. */
  readonly remainder: Fraction
}

export type ConversionAsked = {
  readonly debit: Omit<Leg, 'amount'>
  readonly credit: Omit<Leg, 'amount'>
  readonly given: 'debit' | 'credit'
  /** Of the side that is given, in its minor units; above zero. */
  readonly amount: bigint
}

/** Rounds half to even, so that over many conversions the remainders have no direction. */
export function convert({ debit, credit, given, amount }: ConversionAsked, rate: Rate): Conversion {
  const isOfDebit = given === 'debit'
  const [from, to] = isOfDebit ? [debit, credit] : [credit, debit]
  const ratio = isOfDebit ? rate : { numerator: rate.denominator, denominator: rate.numerator }
  const { minor: other, remainder } = inMinor(amount, from.currency, to.currency, ratio)
  const [debited, credited] = isOfDebit ? [amount, other] : [other, amount]
  return { debit: { ...debit, amount: debited }, credit: { ...credit, amount: credited }, given, rate, remainder }
}

/**
 * An amount in the minor units of another currency, by a rate of whole units; rounded half to even, with what that leaves.
 * One dollar is 100 of them, one yen 1: the rate is of the currencies and not of their units.
 */
export function inMinor(
  amount: bigint,
  from: string,
  to: string,
  rate: Fraction,
): { readonly minor: bigint; readonly remainder: Fraction } {
  const [source, target] = [parseCurrency(from), parseCurrency(to)]
  invariant(source && target, 'amounts are converted between currencies of ISO 4217')
  const numerator = rate.numerator * 10n ** BigInt(exponentOf(target))
  const denominator = rate.denominator * 10n ** BigInt(exponentOf(source))
  const { minor } = multiplyRatio(money(amount, source), numerator, denominator)
  return { minor, remainder: reduced(amount * numerator - minor * denominator, denominator) }
}

/** Both sides, each against the position in its currency: every currency adds up to zero by itself. */
export function postingsOf({ debit, credit }: Conversion): Posting[] {
  return [
    { account: debit.account, amount: debit.amount, currency: debit.currency },
    { account: positionAccount(debit.currency), amount: -debit.amount, currency: debit.currency },
    { account: positionAccount(credit.currency), amount: credit.amount, currency: credit.currency },
    { account: credit.account, amount: -credit.amount, currency: credit.currency },
  ]
}

/** What the positions are longer by after an entry: what is credited to them. In the order of the postings. */
export function positionMoves(postings: readonly Posting[]): { currency: string; amount: bigint }[] {
  return postings
    .filter(({ account, currency }) => account === positionAccount(currency))
    .map(({ currency, amount }) => ({ currency, amount: -amount }))
}

/** As JSON: in the entry's event, in its row, and in answers. Amounts are text, because they may pass 2^53. */
export function conversionJson({ debit, credit, given, rate, quotedAt, remainder }: Conversion) {
  return {
    debit: { ...debit, amount: `${debit.amount}` },
    credit: { ...credit, amount: `${credit.amount}` },
    given,
    rate: rateJson(rate),
    ...(quotedAt === undefined ? {} : { quotedAt }),
    remainder: { numerator: `${remainder.numerator}`, denominator: `${remainder.denominator}` },
  }
}

export type ConversionJson = ReturnType<typeof conversionJson>

/** Undoes `conversionJson`. */
export function conversionIn({ debit, credit, given, rate, quotedAt, remainder }: ConversionJson): Conversion {
  return {
    debit: { ...debit, amount: BigInt(debit.amount) },
    credit: { ...credit, amount: BigInt(credit.amount) },
    given,
    rate: rateIn(rate),
    ...(quotedAt === undefined ? {} : { quotedAt }),
    remainder: { numerator: BigInt(remainder.numerator), denominator: BigInt(remainder.denominator) },
  }
}
