import type { Random } from '#kernel/random'

const FIRST_MS = 500
const LAST_MS = 60 * 60 * 1000

/** Pause before attempt `attempts + 1`: doubles from half a second to an hour, with half of it left to chance. */
export function backoffMs(attempts: number, random: Random): number {
  const full = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempts - 1, 30))
  return full / 2 + (random.unit() * full) / 2
}
