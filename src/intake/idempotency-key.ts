import type { FastifyRequest } from 'fastify'
import { Refusal } from '#kernel/errors'

/** The key under which the caller may ask again. @throws Refusal where there is none, or an unusable one. */
export function idempotencyKeyOf({ headers }: Pick<FastifyRequest, 'headers'>): string {
  const header = headers['idempotency-key']
  if (header === undefined || header === '') throw new Refusal('idempotency_key_missing', { field: 'Idempotency-Key' })
  if (typeof header !== 'string' || header.length > 255) {
    throw new Refusal('idempotency_key_invalid', { field: 'Idempotency-Key' })
  }
  return header
}
