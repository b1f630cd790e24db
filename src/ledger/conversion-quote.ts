import { Refusal } from '#kernel/errors'
import type { Cursors } from '#kernel/http-cursor'
import type { Whose } from './book-sql.ts'
import type { ConversionAsked } from './conversion.ts'
import { type Rate, rateIn, rateJson } from './rate.ts'

/** A rate that was promised for one conversion, until it expires. Times in Unix milliseconds. */
export type Quote = { readonly rate: Rate; readonly quotedAt: number; readonly expiresAt: number }

/** What a quote is for: the one conversion of an id, of so much of a currency into another. */
export type Quoted = { readonly id: string; readonly asked: QuotedAmount }
export type QuotedAmount = {
  readonly debit: Pick<ConversionAsked['debit'], 'currency'>
  readonly credit: Pick<ConversionAsked['credit'], 'currency'>
} & Pick<ConversionAsked, 'given' | 'amount'>

/**
 * A quote as text that only we can write: nothing is kept of those that nobody takes. It is for one conversion, because it
 * names its id, and that is done once.
 */
export function writeQuote(
  cursors: Cursors,
  whose: Whose,
  quoted: Quoted,
  { rate, quotedAt, expiresAt }: Quote,
): string {
  const text = JSON.stringify({ rate: rateJson(rate), quotedAt, expiresAt })
  return cursors.write(scopeOf(whose, quoted), Buffer.from(text))
}

/** @throws Refusal `quote_invalid` for one that we did not write for this conversion. */
export function readQuote(cursors: Cursors, whose: Whose, quoted: Quoted, quote: string): Quote {
  const { rate, ...times } = JSON.parse(opened(cursors, scopeOf(whose, quoted), quote).toString('utf8'))
  return { ...times, rate: rateIn(rate) }
}

function opened(cursors: Cursors, scope: string, quote: string): Buffer {
  try {
    return cursors.read(scope, quote, 'quote')
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const detail =
      'quote must be passed on as it was answered, with the id, currencies and amount that it was asked for'
    throw new Refusal('quote_invalid', { field: 'quote', detail })
  }
}

function scopeOf({ tenant, mode }: Whose, { id, asked }: Quoted): string {
  const { debit, credit, given, amount } = asked
  return `quote/${tenant}/${mode}/${id}/${debit.currency}/${credit.currency}/${given}/${amount}`
}
