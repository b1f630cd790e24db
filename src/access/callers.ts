import type { FastifyRequest } from 'fastify'
import { Refusal } from '#kernel/errors'
import type { Caller, KeyRing } from './index.ts'

/** The rate at which a key may ask; 0 seconds of waiting means it may. */
export type Limiter = { waitSeconds(keyId: string): number }

/** Knows the caller of every request that passed its check. */
export function createCallers(keys: KeyRing, limiter: Limiter) {
  const known = new WeakMap<FastifyRequest, Caller>()
  return {
    /** @throws Refusal `api_key_invalid` or `rate_limited`. */
    check: async (request: FastifyRequest): Promise<void> => {
      const caller = keys.find(bearerOf(request.headers.authorization))
      if (!caller) throw new Refusal('api_key_invalid')
      const retryAfterSeconds = limiter.waitSeconds(caller.keyId)
      if (retryAfterSeconds > 0) throw new Refusal('rate_limited', { retryAfterSeconds })
      known.set(request, caller)
    },
    of(request: FastifyRequest): Caller {
      const caller = known.get(request)
      if (!caller) throw new Refusal('api_key_invalid')
      return caller
    },
  }
}

function bearerOf(authorization: string | undefined): string {
  return /^Bearer (\S{1,200})$/i.exec(authorization ?? '')?.[1] ?? ''
}
