import type { Posting } from './entry.ts'
import { Refused } from './refused.ts'

/** @throws Refused `unbalanced` unless the postings of each currency add up to zero. */
export function checkBalanced(postings: readonly Posting[]): void {
  const sums = new Map<string, bigint>()
  for (const { currency, amount } of postings) sums.set(currency, (sums.get(currency) ?? 0n) + amount)
  for (const [currency, difference] of sums) {
    if (difference !== 0n) throw new Refused({ code: 'unbalanced', currency, difference })
  }
}
