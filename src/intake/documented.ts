import type { RefusalCode } from '#kernel/errors'

/** Headers of every request that makes something, as the API's document shows them. */
export const headersRead = {
  'Idempotency-Key': {
    description: 'Your own name for the request, up to 255 characters: the same key again is the same request.',
    isRequired: true,
  },
  Prefer: { description: 'wait=N: answer when it is decided, or after N seconds, 30 at most (RFC 7240).' },
} as const

/** What such a request can be refused with for its key, its amount, or with nowhere to put it. */
export const keyRefusals = [
  'idempotency_key_missing',
  'idempotency_key_invalid',
  'idempotency_key_reused',
  'amount_invalid',
  'disk_full',
  'log_unavailable',
] as const satisfies readonly RefusalCode[]
