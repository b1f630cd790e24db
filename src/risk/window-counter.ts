import type { Clock } from '#kernel/clock'

/** Names counted at once; past it the counts start anew, which forgets at most one window. */
const NAMES_MAX = 100_000

/** Counts per name over the last `windowMs`, from two fixed windows weighted by how far the newer one has come. */
export function createWindowCounter(clock: Clock, windowMs: number) {
  let current = new Map<string, number>()
  let previous = new Map<string, number>()
  let startedAt = clock.monotonicMs()

  const roll = (now: number): void => {
    const windows = Math.floor((now - startedAt) / windowMs)
    if (windows === 0 && current.size < NAMES_MAX) return
    previous = windows === 1 ? current : new Map()
    current = new Map()
    startedAt += windows * windowMs
  }

  return {
    /** Counts one more, and returns how many there were in the window, this one included. */
    count(name: string): number {
      const now = clock.monotonicMs()
      roll(now)
      const counted = (current.get(name) ?? 0) + 1
      current.set(name, counted)
      const share = 1 - (now - startedAt) / windowMs
      return counted + Math.floor((previous.get(name) ?? 0) * share)
    },
  }
}
