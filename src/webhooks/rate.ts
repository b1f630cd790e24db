import type { Clock } from '#kernel/clock'

/** Calls that may be saved up: half a second's, which is how often the deliverer looks. */
const SAVED_S = 0.5

/** A token bucket of calls a second. */
export function createRate(clock: Clock) {
  let tokens = Number.POSITIVE_INFINITY
  let at = clock.monotonicMs()

  const refill = (perSecond: number): void => {
    const now = clock.monotonicMs()
    tokens = Math.min(Math.max(1, perSecond * SAVED_S), tokens + ((now - at) / 1000) * perSecond)
    at = now
  }
  return {
    /** How many of `wanted` may go now. */
    admits(wanted: number, perSecond: number | null): number {
      if (perSecond === null) return wanted
      refill(perSecond)
      return Math.min(wanted, Math.max(0, Math.floor(tokens)))
    },
    went: () => {
      tokens--
    },
  }
}
