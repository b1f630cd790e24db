import { type Currency, exponentOf } from './currency.ts'
import { invariant } from './invariant.ts'

/** An amount counted in the currency's minor units: 12.34 EUR is 1234n. Never a float, anywhere. */
export type Money = { readonly minor: bigint; readonly currency: Currency }

export function money(minor: bigint, currency: Currency): Money {
  return { minor, currency }
}

export function add(a: Money, b: Money): Money {
  return money(a.minor + b.minor, sameCurrency(a, b))
}

export function subtract(a: Money, b: Money): Money {
  return money(a.minor - b.minor, sameCurrency(a, b))
}

export function negate(amount: Money): Money {
  return money(-amount.minor, amount.currency)
}

export function isZero(amount: Money): boolean {
  return amount.minor === 0n
}

/** Below zero, zero or above zero, as `a` is less than, equal to or more than `b`. */
export function compare(a: Money, b: Money): -1 | 0 | 1 {
  sameCurrency(a, b)
  if (a.minor === b.minor) return 0
  return a.minor < b.minor ? -1 : 1
}

/**
 * Splits an amount in proportion to the weights; the parts sum to it exactly. What rounding down
 * leaves over goes one minor unit each to the largest remainders, to the earlier where they tie.
 * A negative amount is split as its opposite is, so that a refund undoes a split to the unit.
 */
export function allocate(amount: Money, weights: readonly bigint[]): Money[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  invariant(total > 0n && weights.every((weight) => weight >= 0n), 'weights are not negative and not all zero')
  const sign = amount.minor < 0n ? -1n : 1n
  const whole = amount.minor * sign
  const parts = weights.map((weight) => (whole * weight) / total)
  const left = whole - parts.reduce((sum, part) => sum + part, 0n)
  for (const index of byRemainder(whole, weights, total).slice(0, Number(left)))
    parts[index] = (parts[index] ?? 0n) + 1n
  return parts.map((part) => money(part * sign, amount.currency))
}

/** `amount × numerator ÷ denominator`, rounded half to even: over many amounts the error has no direction. */
export function multiplyRatio(amount: Money, numerator: bigint, denominator: bigint): Money {
  invariant(denominator !== 0n, 'a ratio has a denominator other than zero')
  return money(divideHalfEven(amount.minor * numerator, denominator), amount.currency)
}

/** For people and logs, as in `-0.05 EUR`, `100 JPY`. */
export function formatMoney({ minor, currency }: Money): string {
  const exponent = exponentOf(currency)
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0')
  const units = digits.slice(0, digits.length - exponent)
  const decimals = exponent === 0 ? '' : `.${digits.slice(-exponent)}`
  return `${minor < 0n ? '-' : ''}${units}${decimals} ${currency}`
}

/** For JSON: throws rather than lose a unit outside the safe integers. */
export function toMinorNumber(minor: bigint): number {
  const number = Number(minor)
  invariant(Number.isSafeInteger(number), 'an amount on the wire is a safe integer')
  return number
}

/** From JSON that a schema has checked; a fraction or an unsafe integer here is a bug. */
export function fromMinorNumber(minor: number): bigint {
  invariant(Number.isSafeInteger(minor), 'an amount on the wire is a safe integer')
  return BigInt(minor)
}

function sameCurrency(a: Money, b: Money): Currency {
  invariant(a.currency === b.currency, `${a.currency} and ${b.currency} do not add up`)
  return a.currency
}

/** Indexes of the weights, the largest remainder first; Array.sort is stable, so ties keep their order. */
function byRemainder(whole: bigint, weights: readonly bigint[], total: bigint): number[] {
  const remainders = weights.map((weight, index) => ({ index, remainder: (whole * weight) % total }))
  remainders.sort((a, b) => (a.remainder === b.remainder ? 0 : a.remainder > b.remainder ? -1 : 1))
  return remainders.map(({ index }) => index)
}

/** Rounded half to even. The divisor must not be zero. */
export function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  const negative = dividend < 0n !== divisor < 0n
  const [n, d] = [dividend < 0n ? -dividend : dividend, divisor < 0n ? -divisor : divisor]
  const [quotient, twice] = [n / d, (n % d) * 2n]
  const up = twice > d || (twice === d && quotient % 2n === 1n)
  const rounded = up ? quotient + 1n : quotient
  return negative ? -rounded : rounded
}
