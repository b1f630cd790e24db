import type { Clock } from '#kernel/clock'

const FAILURES_MAX = 5
const OPEN_MS = 5_000

/**
 * Stops calling a destination that only fails. After five failures in a row it opens for five
 * seconds, then lets a single call through: its outcome closes the circuit or opens it again.
 */
export type Circuit = {
  /** How many calls may start now, of `wanted`. */
  admits(wanted: number): number
  /** What was admitted found nothing to call: the next one may try. */
  unused(): void
  succeeded(): void
  failed(): void
  /** Milliseconds until a call may be tried; 0 when closed. */
  opensInMs(): number
}

export function createCircuit(clock: Clock): Circuit {
  let failures = 0
  let openUntil = 0
  let isProbing = false
  const isClosed = (): boolean => failures < FAILURES_MAX
  return {
    admits(wanted) {
      if (isClosed()) return wanted
      if (isProbing || clock.monotonicMs() < openUntil || wanted === 0) return 0
      isProbing = true
      return 1
    },
    unused() {
      isProbing = false
    },
    succeeded() {
      failures = 0
      isProbing = false
    },
    failed() {
      failures++
      isProbing = false
      if (!isClosed()) openUntil = clock.monotonicMs() + OPEN_MS
    },
    opensInMs: () => (isClosed() ? 0 : Math.max(0, openUntil - clock.monotonicMs())),
  }
}
