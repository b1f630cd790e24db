import { hash } from 'node:crypto'
import { createBoundedCache } from '#kernel/bounded-cache'
import type { Clock } from '#kernel/clock'
import { type Answer, problem } from './answer.ts'

/** The first answer to each key, kept for as long as a real gateway keeps it. */
export type Idempotency = {
  /**
   * Does the work once for a key: the same request again gets what the first one came to. What was turned away is
   * not kept. Of more than `keysMax` keys, the oldest are forgotten.
   */
  once(key: string | undefined, request: string, work: () => Promise<Worked>): Promise<Answer>
}

export type Worked = { readonly answer: Answer; readonly isKept: boolean }

export const idempotencyWindowMs = 24 * 60 * 60 * 1000

export function createIdempotency(clock: Clock, keysMax: number): Idempotency {
  const limits = { entriesMax: keysMax, ageMaxMs: idempotencyWindowMs }
  const kept = createBoundedCache<{ fingerprint: string; worked: Promise<Worked> }>(clock, limits)

  return {
    async once(key, request, work) {
      if (key === undefined) return (await work()).answer
      const fingerprint = hash('sha1', request, 'base64')
      const known = kept.get(key)
      if (known !== undefined) return known.fingerprint === fingerprint ? (await known.worked).answer : reused
      const worked = work()
      kept.set(key, { fingerprint, worked }, clock.monotonicMs())
      const { answer, isKept } = await worked
      if (!isKept) kept.delete(key)
      return answer
    },
  }
}

const reused = problem(400, 'idempotency_key_reused', { message: 'This key came with another request.' })
