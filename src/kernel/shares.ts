import { allocate, type Money } from './money.ts'

/** What one of several gets of an amount: so many minor units, so many ten-thousandths of the whole, or what is left. */
export type Share = { readonly amount: bigint } | { readonly basisPoints: bigint } | { readonly isRemaining: true }

/** All of it. */
export const BASIS_POINTS = 10_000n

/**
 * What each share comes to, in minor units: portions are of the whole, and rounded by largest remainder; amounts come off
 * what is left of it. Without a share of what is left the parts may come to less than the whole. Undefined where they
 * come to more. At most one share is of what is left; no amount and no portion is negative.
 */
export function shareOut(whole: Money, shares: readonly Share[]): bigint[] | undefined {
  const portions = shares.map((share) => ('basisPoints' in share ? share.basisPoints : 0n))
  const rest = BASIS_POINTS - sum(portions)
  if (rest < 0n) return undefined
  const parts = allocate(whole, [...portions, rest]).map(({ minor }) => minor)
  const amounts = shares.map((share) => ('amount' in share ? share.amount : 0n))
  const left = (parts.at(-1) ?? 0n) - sum(amounts)
  if (left < 0n) return undefined
  return shares.map((share, place) => {
    if ('isRemaining' in share) return left
    return (amounts[place] ?? 0n) + (parts[place] ?? 0n)
  })
}

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n)
}
