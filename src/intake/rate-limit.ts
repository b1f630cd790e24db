import type { Clock } from '#kernel/clock'

export type RateLimit = {
  /** Requests a second in the long run. */
  readonly perSecond: number
  /** Requests at once after a pause. */
  readonly burst: number
}

/** A token bucket for each API key, in this process. */
export function createRateLimiter(clock: Clock, { perSecond, burst }: RateLimit) {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    /** 0 when the request may pass, else seconds until one would. */
    waitSeconds(keyId: string): number {
      const now = clock.monotonicMs()
      const bucket = buckets.get(keyId) ?? { tokens: burst, at: now }
      const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
      const passes = tokens >= 1
      buckets.set(keyId, { tokens: passes ? tokens - 1 : tokens, at: now })
      return passes ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond))
    },
  }
}
