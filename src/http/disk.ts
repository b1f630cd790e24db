import { statfs } from 'node:fs/promises'
import type { Clock } from '#kernel/clock'

export type DiskGuard = {
  /** Whether so little space is left that accepting more could cost what was accepted before. */
  isLow(): Promise<boolean>
}

/**
 * PostgreSQL must never meet the end of the disk: what is accepted still has to be decided, posted and
 * checkpointed, and a WAL segment alone takes 16 MB.
 */
const WATERMARK_BYTES = 256 * 1024 * 1024
/** Under load the question is asked thousands of times a second. */
const KNOWN_FOR_MS = 1_000

/** Looks at the free space once a second at most. Space that cannot be measured is taken for enough. */
export function createDiskGuard(options: {
  clock: Clock
  freeBytes: () => Promise<number>
  watermarkBytes?: number
}): DiskGuard {
  const { clock, freeBytes, watermarkBytes = WATERMARK_BYTES } = options
  let lookedAt = Number.NEGATIVE_INFINITY
  let answer = Promise.resolve(false)
  return {
    isLow() {
      if (clock.monotonicMs() - lookedAt < KNOWN_FOR_MS) return answer
      lookedAt = clock.monotonicMs()
      answer = freeBytes().then(
        (free) => free < watermarkBytes,
        () => false,
      )
      return answer
    },
  }
}

/** With the database elsewhere, its disk is its own business. */
export const noDisk: DiskGuard = { isLow: () => Promise.resolve(false) }

export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
