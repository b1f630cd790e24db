import type { Clock } from '#kernel/clock'

/** `never`: the caller is left waiting. */
export type Answer = { readonly status: number; readonly body: unknown } | 'never'

/** The first answer to each key, kept for as long as a real gateway keeps it. */
export type Idempotency = {
  /** Does the work once for a key: the same request again gets the same answer. */
  once(key: string | undefined, fingerprint: string, work: () => Promise<Answer>): Promise<Answer>
}

const windowMs = 24 * 60 * 60 * 1000

export function createIdempotency(clock: Clock): Idempotency {
  const kept = new Map<string, { fingerprint: string; atMs: number; answer: Promise<Answer> }>()

  /** The map keeps the order of insertion, so the oldest are in front. */
  const forgetOld = (): void => {
    for (const [key, { atMs }] of kept) {
      if (clock.now() - atMs < windowMs) return
      kept.delete(key)
    }
  }

  return {
    async once(key, fingerprint, work) {
      if (key === undefined) return work()
      forgetOld()
      const known = kept.get(key)
      if (known !== undefined) return known.fingerprint === fingerprint ? known.answer : reused
      const answer = work()
      kept.set(key, { fingerprint, atMs: clock.now(), answer })
      return answer
    },
  }
}

const reused: Answer = {
  status: 400,
  body: {
    error: {
      type: 'idempotency_error',
      code: 'idempotency_key_reused',
      message: 'This key came with another request.',
    },
  },
}
