import type { Leg } from './books.ts'
import type { ConversionBody } from './call.ts'

const DECIMALS: Readonly<Record<string, number>> = { EUR: 2, USD: 2, JPY: 0, KWD: 3 }

/** The four legs of a conversion: each side against the position in its currency. */
export function convertedLegs(body: ConversionBody): Leg[] {
  const { debit, credit, currency, to_currency: other } = body
  const [given, taken] = sidesOf(body)
  return [
    { account: debit, currency, amount: given },
    { account: `fx:position:${currency}`, currency, amount: -given },
    { account: `fx:position:${other}`, currency: other, amount: taken },
    { account: credit, currency: other, amount: -taken },
  ]
}

/** What is debited in one currency and credited in the other, in minor units; half a unit goes to the even one. */
function sidesOf({ currency, to_currency: other, amount, to_amount, rate }: ConversionBody): [bigint, bigint] {
  const [whole = '0', fraction = ''] = rate.split('.')
  const numerator = BigInt(whole + fraction) * 10n ** BigInt(DECIMALS[other] ?? 0)
  const denominator = 10n ** BigInt(fraction.length + (DECIMALS[currency] ?? 0))
  if (amount !== undefined) return [BigInt(amount), divided(BigInt(amount) * numerator, denominator)]
  const wanted = BigInt(to_amount ?? 0)
  return [divided(wanted * denominator, numerator), wanted]
}

function divided(dividend: bigint, divisor: bigint): bigint {
  const down = dividend / divisor
  const twice = 2n * (dividend % divisor)
  if (twice === divisor) return down % 2n === 0n ? down : down + 1n
  return twice > divisor ? down + 1n : down
}
