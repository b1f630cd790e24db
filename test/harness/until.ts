import { systemClock } from '#kernel/clock'

const LOOK_MS = 10

/** Waits for a condition, and fails by its name when it does not come true in time. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  const deadline = systemClock.monotonicMs() + limitMs
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`waited ${limitMs} ms in vain: ${what}`)
    await systemClock.sleep(LOOK_MS)
  }
}
