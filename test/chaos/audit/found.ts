import type { Finding } from './evidence.ts'

/** How many cases a finding shows. */
const SHOWN_MAX = 10

/** One finding where there are cases, none where there are none. */
export function found(promise: string, claim: string, cases: readonly string[]): Finding[] {
  if (cases.length === 0) return []
  return [{ promise, claim: `${claim}: ${cases.length}`, evidence: cases.slice(0, SHOWN_MAX) }]
}
