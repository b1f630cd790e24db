import type { Clock } from '#kernel/clock'

/** Longest pause before a batch, in ms: four hops of it stay within a p99 of 50 ms. */
const LINGER_MAX_MS = 8
/** Below this many events a second the CPU is idle, and latency is worth more than it. */
const IDLE_RATE = 200

/**
 * How long a loop waits for company before its next batch. Small transactions cost 600 µs an event,
 * full ones 90: so the pause grows with the arrival rate, and ends where batches fill by themselves.
 */
export type Linger = {
  handled(events: number): void
  ms(isFull: boolean): number
}

export function createLinger(clock: Clock): Linger {
  let rate = 0
  let since = clock.monotonicMs()
  let count = 0
  return {
    handled(events) {
      count += events
      const elapsed = clock.monotonicMs() - since
      if (elapsed < 100) return
      rate = rate * 0.5 + (count / elapsed) * 1000 * 0.5
      count = 0
      since = clock.monotonicMs()
    },
    ms: (isFull) => (isFull || rate < IDLE_RATE ? 0 : Math.min(LINGER_MAX_MS, (rate - IDLE_RATE) / 100)),
  }
}
