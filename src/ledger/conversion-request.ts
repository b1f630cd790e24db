import { type Static, Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import { type Fraction, fractionOfDecimal } from '#kernel/fraction'
import { fromMinorNumber } from '#kernel/money'
import type { PostEntry } from './command.ts'
import { type Conversion, type ConversionAsked, postingsOf } from './conversion.ts'
import type { Quoted } from './conversion-quote.ts'
import { checkedId, currencyOf, effectiveOf, fingerprintOf, movableAccount, type Reading, wrong } from './request.ts'
import { Account, Currency, Id } from './shapes.ts'

const closed = { additionalProperties: false } as const
const AMOUNT_MAX = Number.MAX_SAFE_INTEGER
const VALID_SECONDS_DEFAULT = 60
const Amount = (description: string) => Type.Integer({ minimum: 1, maximum: AMOUNT_MAX, description })
const Purpose = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,39}$',
  description: 'What kind of entry it is; conversion by default.',
})

const amounts = {
  currency: Currency,
  to_currency: Currency,
  amount: Type.Optional(Amount('Minor units of currency. This one or to_amount.')),
  to_amount: Type.Optional(Amount('Minor units of to_currency: currency is what it takes.')),
}

export const ConversionBody = Type.Object(
  {
    id: Id,
    purpose: Type.Optional(Purpose),
    debit: { ...Account, description: 'The account that is debited, in currency.' },
    credit: { ...Account, description: 'The account that is credited, in to_currency. It may be the same account.' },
    ...amounts,
    rate: Type.Optional(
      Type.String({
        pattern: '^\\d{1,15}(?:\\.\\d{1,15})?$',
        description:
          'Whole units of to_currency for one of currency, as a decimal in a text. The rate of the day by default.',
      }),
    ),
    quote: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2_000, description: 'As it was answered: the rate that was promised.' }),
    ),
    effective_at: Type.Optional(
      Type.String({ format: 'date-time', maxLength: 40, description: 'When it happened, if that was earlier.' }),
    ),
  },
  closed,
)
export type ConversionBody = Static<typeof ConversionBody>

export const QuoteBody = Type.Object(
  {
    id: { ...Id, description: 'Of the conversion that it is for.' },
    ...amounts,
    valid_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 3_600, description: 'How long it is promised; 60 by default.' }),
    ),
  },
  closed,
)

/** A conversion that is asked for, before there is a rate. */
export type ConversionRequest = Pick<PostEntry, 'id' | 'fingerprint' | 'purpose' | 'effectiveAt'> & {
  readonly asked: ConversionAsked
  /** Of the caller's own. */
  readonly rate: Fraction | undefined
  /** As it came. */
  readonly quote: string | undefined
}

/** @throws Refusal that names the field. */
export function conversionRequest(body: ConversionBody, reading: Reading): ConversionRequest {
  const { debit, credit, ...amount } = amountOf(body)
  const { quote } = body
  const other = (['rate', 'effective_at'] as const).find((name) => quote !== undefined && body[name] !== undefined)
  if (other) throw wrong(other, `${other} must be left out: the quote has it`)
  const rate = body.rate === undefined ? undefined : fractionOfDecimal(body.rate)
  if (rate && rate.numerator === 0n) throw wrong('rate', 'rate must be above zero')
  return {
    id: checkedId(body.id),
    fingerprint: fingerprintOf(body, reading),
    purpose: body.purpose ?? 'conversion',
    effectiveAt: effectiveOf(body.effective_at, reading.now),
    rate,
    quote,
    asked: {
      debit: { account: movableAccount(body.debit, 'debit'), ...debit },
      credit: { account: movableAccount(body.credit, 'credit'), ...credit },
      ...amount,
    },
  }
}

/** @throws Refusal that names the field. */
export function quoteRequest(body: Static<typeof QuoteBody>): Quoted & { readonly validMs: number } {
  const { id, valid_seconds = VALID_SECONDS_DEFAULT } = body
  return { id: checkedId(id), asked: amountOf(body), validMs: valid_seconds * 1000 }
}

function amountOf(body: Pick<ConversionBody, keyof typeof amounts>): Quoted['asked'] {
  const currency = currencyOf(body.currency, 'currency')
  const toCurrency = currencyOf(body.to_currency, 'to_currency')
  if (currency === toCurrency) throw wrong('to_currency', 'to_currency must be another than currency')
  const { amount, to_amount } = body
  if ((amount === undefined) === (to_amount === undefined))
    throw wrong('amount', 'amount or to_amount is required, and only one')
  return {
    debit: { currency },
    credit: { currency: toCurrency },
    given: amount === undefined ? 'credit' : 'debit',
    amount: fromMinorNumber(amount ?? to_amount ?? 0),
  }
}

/** Neither side is nothing, nor more than an amount may be. */
export function isBookable({ debit, credit }: Conversion): boolean {
  return [debit, credit].every(({ amount }) => amount > 0n && amount <= BigInt(AMOUNT_MAX))
}

/** @throws Refusal `amount_invalid`. */
export function checkBookable(conversion: Conversion): Conversion {
  if (isBookable(conversion)) return conversion
  const field = conversion.given === 'debit' ? 'amount' : 'to_amount'
  const detail = `${field} must come to at least 1 and at most 2^53 - 1 minor units of the other currency`
  throw new Refusal('amount_invalid', { field, detail })
}

export function conversionCommand(request: ConversionRequest, conversion: Conversion): PostEntry {
  const { asked: _, rate: __, quote: ___, ...about } = request
  return { kind: 'entry', ...about, postings: postingsOf(conversion), transfers: [], conditions: [], conversion }
}
