import type { Clock } from '#kernel/clock'

/** A clock that can be set forward, for what would take days otherwise. */
export type AdvancingClock = Clock & {
  /** From now on it is `ms` later. */
  advance(ms: number): void
}

/** Runs with `clock`; waits are waits of that clock, whatever is set forward meanwhile. */
export function createAdvancingClock(clock: Clock): AdvancingClock {
  let aheadMs = 0
  return {
    now: () => clock.now() + aheadMs,
    monotonicMs: () => clock.monotonicMs() + aheadMs,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    advance(ms) {
      aheadMs += ms
    },
  }
}
