import type { Clock } from '#kernel/clock'
import { createCircuit } from './circuit.ts'
import type { Destination } from './destination.ts'

/**
 * Of the calls that all destinations of a deliverer may have under way, one takes at most a quarter of what is free.
 * However many of them hang, there is room left for the next: slow ones share what the others leave.
 */
const SHARE = 4

/** What a deliverer knows of one destination: how it fares, and how many calls to it are under way. */
export type Lane = ReturnType<typeof createLane>

export function createLane(clock: Clock) {
  const circuit = createCircuit(clock)
  let underWay = 0
  return {
    circuit,
    /**
     * Calls that may start now, with `free` of the deliverer's own left. Those that are over and not yet on record do not
     * count: while they are recorded, others are made.
     */
    room({ concurrency, admits }: Destination, free: number): number {
      const limit = Math.min(concurrency, Math.ceil(free / SHARE))
      const room = circuit.admits(Math.max(0, limit - underWay))
      if (room === 0) return 0
      const admitted = admits?.(room) ?? room
      if (admitted === 0) circuit.unused()
      return admitted
    },
    started: () => {
      underWay++
    },
    over: () => {
      underWay--
    },
    isIdle: () => underWay === 0,
  }
}
