import type { FastifyRequest } from 'fastify'
import { Refusal } from '#kernel/errors'
import type { Caller, KeyRing } from './index.ts'

/** The rate at which a key may ask; 0 seconds of waiting means it may. */
export type Limiter = { waitSeconds(keyId: string): number }

export const VERSION_HEADER = 'millrace-version'

/** Knows the caller of every request that passed its check. `versions` are those a request may ask to be spoken to in. */
export function createCallers(keys: KeyRing, limiter: Limiter, versions: readonly string[]) {
  const known = new WeakMap<FastifyRequest, Caller>()
  const find = (request: FastifyRequest): Caller | undefined => keys.find(bearerOf(request.headers.authorization))
  return {
    /** @throws Refusal `api_key_invalid`, `rate_limited` or `version_unknown`. */
    check: async (request: FastifyRequest): Promise<void> => {
      const caller = find(request)
      if (!caller) throw new Refusal('api_key_invalid')
      const retryAfterSeconds = limiter.waitSeconds(caller.keyId)
      if (retryAfterSeconds > 0) throw new Refusal('rate_limited', { retryAfterSeconds })
      known.set(request, { ...caller, version: versionOf(request, caller, versions) })
    },
    of(request: FastifyRequest): Caller {
      const caller = known.get(request)
      if (!caller) throw new Refusal('api_key_invalid')
      return caller
    },
    /** Undefined for a request that needed no key, or had none. */
    versionOf: (request: FastifyRequest): string | undefined => known.get(request)?.version,
    /** Whether the key of an open request has not been revoked since. */
    isCurrent: (request: FastifyRequest): boolean => find(request) !== undefined,
  }
}

/** What the request asks for, else what its key was made with. */
function versionOf(request: FastifyRequest, caller: Caller, versions: readonly string[]): string {
  const asked = request.headers[VERSION_HEADER] ?? caller.version
  if (typeof asked === 'string' && versions.includes(asked)) return asked
  const detail = `Millrace-Version must be one of: ${versions.join(', ')}`
  throw new Refusal('version_unknown', { field: 'Millrace-Version', detail })
}

function bearerOf(authorization: string | undefined): string {
  return /^Bearer (\S{1,200})$/i.exec(authorization ?? '')?.[1] ?? ''
}
