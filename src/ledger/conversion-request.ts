import { type Static, Type } from 'typebox'
import { type Fraction, fractionOfDecimal } from '#kernel/fraction'
import { fromMinorNumber } from '#kernel/money'
import type { PostEntry } from './command.ts'
import { type Conversion, type ConversionAsked, postingsOf } from './conversion.ts'
import { checkedId, currencyOf, effectiveOf, fingerprintOf, movableAccount, type Reading, wrong } from './request.ts'
import { Account, Currency, Id } from './shapes.ts'

const closed = { additionalProperties: false } as const
const AMOUNT_MAX = Number.MAX_SAFE_INTEGER
const Amount = (description: string) => Type.Integer({ minimum: 1, maximum: AMOUNT_MAX, description })
const Purpose = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,39}$',
  description: 'What kind of entry it is; conversion by default.',
})

export const ConversionBody = Type.Object(
  {
    id: Id,
    purpose: Type.Optional(Purpose),
    debit: { ...Account, description: 'The account that is debited, in currency.' },
    credit: { ...Account, description: 'The account that is credited, in to_currency. It may be the same account.' },
    currency: Currency,
    to_currency: Currency,
    amount: Type.Optional(Amount('Minor units of currency. This one or to_amount.')),
    to_amount: Type.Optional(Amount('Minor units of to_currency: currency is what it takes.')),
    rate: Type.Optional(
      Type.String({
        pattern: '^\\d{1,15}(?:\\.\\d{1,15})?$',
        description:
          'Whole units of to_currency for one of currency, as a decimal in a text. The rate of the day by default.',
      }),
    ),
    effective_at: Type.Optional(
      Type.String({ format: 'date-time', maxLength: 40, description: 'When it happened, if that was earlier.' }),
    ),
  },
  closed,
)
export type ConversionBody = Static<typeof ConversionBody>

/** A conversion that is asked for, before there is a rate. */
export type ConversionRequest = Pick<PostEntry, 'id' | 'fingerprint' | 'purpose' | 'effectiveAt'> & {
  readonly asked: ConversionAsked
  /** Of the caller's own. */
  readonly rate: Fraction | undefined
}

/** @throws Refusal that names the field. */
export function conversionRequest(body: ConversionBody, reading: Reading): ConversionRequest {
  const currency = currencyOf(body.currency, 'currency')
  const toCurrency = currencyOf(body.to_currency, 'to_currency')
  if (currency === toCurrency) throw wrong('to_currency', 'to_currency must be another than currency')
  const { amount, to_amount } = body
  if ((amount === undefined) === (to_amount === undefined))
    throw wrong('amount', 'amount or to_amount is required, and only one')
  const rate = body.rate === undefined ? undefined : fractionOfDecimal(body.rate)
  if (rate && rate.numerator === 0n) throw wrong('rate', 'rate must be above zero')
  return {
    id: checkedId(body.id),
    fingerprint: fingerprintOf(body, reading),
    purpose: body.purpose ?? 'conversion',
    effectiveAt: effectiveOf(body.effective_at, reading.now),
    rate,
    asked: {
      debit: { account: movableAccount(body.debit, 'debit'), currency },
      credit: { account: movableAccount(body.credit, 'credit'), currency: toCurrency },
      given: amount === undefined ? 'credit' : 'debit',
      amount: fromMinorNumber(amount ?? to_amount ?? 0),
    },
  }
}

/** Neither side is nothing, nor more than an amount may be. */
export function isBookable({ debit, credit }: Conversion): boolean {
  return [debit, credit].every(({ amount }) => amount > 0n && amount <= BigInt(AMOUNT_MAX))
}

export function conversionCommand(request: ConversionRequest, conversion: Conversion): PostEntry {
  const { asked: _, rate: __, ...about } = request
  return { kind: 'entry', ...about, postings: postingsOf(conversion), transfers: [], conditions: [], conversion }
}
