import type { Clock } from '#kernel/clock'

/** Longest pause of a decider before a batch, in ms: three hops of it stay within a p99 of 50 ms. */
export const DECIDER_LINGER_MS = 8
/** A projection is nobody's next hop: it may keep its readers waiting a little, and cost a fifth. */
export const PROJECTION_LINGER_MS = 40
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

export function createLinger(clock: Clock, maxMs: number): Linger {
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
    ms: (isFull) => (isFull || rate < IDLE_RATE ? 0 : Math.min(maxMs, (rate - IDLE_RATE) / 100)),
  }
}
