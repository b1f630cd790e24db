/** An exact ratio; the denominator is above zero. Rates are these and never floats. */
export type Fraction = { readonly numerator: bigint; readonly denominator: bigint }

/** In lowest terms, with the sign in the numerator. The denominator must not be zero. */
export function reduced(numerator: bigint, denominator: bigint): Fraction {
  const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n)
  return { numerator: numerator / divisor, denominator: denominator / divisor }
}

/** `a ÷ b`; b must not be zero. */
export function quotient(a: Fraction, b: Fraction): Fraction {
  return reduced(a.numerator * b.denominator, a.denominator * b.numerator)
}

/** Exactly what digits with at most one point in them say, as in `1.0812`; undefined for any other text. */
export function fractionOfDecimal(text: string): Fraction | undefined {
  const [, whole = '', decimals = ''] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  return whole === '' ? undefined : reduced(BigInt(whole + decimals), 10n ** BigInt(decimals.length))
}

/** Never below zero, and above it: one of the two may be zero. */
function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a < 0n ? -a : a, b < 0n ? -b : b]
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller]
  return larger
}
