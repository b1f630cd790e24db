import { parseCurrency } from '#kernel/currency'
import { integerAt, type JsonObject, textAt } from './json.ts'

/** Why an object of a payload gave no report. Counted, and the payload itself is kept sealed. */
export type DropReason =
  | 'amount_missing'
  | 'amount_negative'
  | 'amount_unrepresentable'
  | 'currency_unknown'
  | 'id_missing'
  | 'status_unknown'

export type ReadAmount = { readonly amount: number; readonly currency: string }

/**
 * Where Stripe's smallest unit is not the ISO 4217 minor unit (docs.stripe.com/currencies, "Special
 * cases" and "Zero-decimal currencies"): ISK and UGX lost their decimals but are still sent with two;
 * MGA, whose fifth parts Stripe does not know, is sent as whole ariary.
 */
const hundredthsOfMinor: ReadonlySet<string> = new Set(['ISK', 'UGX'])
const hundredsOfMinor: ReadonlySet<string> = new Set(['MGA'])

/** The amount under `name` in ISO minor units of the object's `currency`, or why there is none. */
export function readAmount(object: JsonObject, name: string): ReadAmount | DropReason {
  const currency = parseCurrency((textAt(object, 'currency') ?? '').toUpperCase())
  if (currency === undefined) return 'currency_unknown'
  const sent = integerAt(object, name)
  if (sent === undefined) return 'amount_missing'
  if (sent < 0) return 'amount_negative'
  const amount = fromStripeUnits(sent, currency)
  return amount === undefined ? 'amount_unrepresentable' : { amount, currency }
}

/**
 * Undefined where the minor unit is too coarse for the amount, as for half a króna: rounding would
 * book money that nobody paid. Stripe refuses to charge such amounts, so it means a bug of somebody.
 */
export function fromStripeUnits(sent: number, currency: string): number | undefined {
  const amount = hundredthsOfMinor.has(currency) ? sent / 100 : hundredsOfMinor.has(currency) ? sent * 100 : sent
  return Number.isSafeInteger(amount) ? amount : undefined
}

/** The way back, for requests. */
export function toStripeUnits(amountMinor: number, currency: string): number | undefined {
  const sent = hundredthsOfMinor.has(currency)
    ? amountMinor * 100
    : hundredsOfMinor.has(currency)
      ? amountMinor / 100
      : amountMinor
  return Number.isSafeInteger(sent) ? sent : undefined
}
