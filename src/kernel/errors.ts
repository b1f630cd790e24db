/**
 * Every refusal a caller can meet; docs/errors.md is tested against this table in both directions.
 * `status` is the HTTP status of the RFC 9457 problem that carries it.
 */
export const refusals = {
  amount_invalid: { status: 422, title: 'The amount must be a positive whole number of minor units' },
  api_key_invalid: { status: 401, title: 'No valid API key came with the request' },
  body_invalid: { status: 400, title: 'The request body has a field that is not as documented' },
  body_malformed: { status: 400, title: 'The request body is not valid JSON' },
  body_too_large: { status: 413, title: 'The request body is larger than the limit' },
  content_type_unsupported: { status: 415, title: 'The request body must be application/json' },
  currency_unknown: { status: 422, title: 'The currency must be an ISO 4217 code' },
  database_unavailable: { status: 503, title: 'The database does not answer now; try again' },
  disk_full: { status: 503, title: 'The disk is too full to accept anything safely; try again later' },
  gateway_account_not_found: { status: 404, title: 'No gateway account has this name' },
  idempotency_key_missing: { status: 400, title: 'The header Idempotency-Key is required' },
  idempotency_key_invalid: { status: 400, title: 'The header Idempotency-Key must be 1 to 255 characters' },
  idempotency_key_reused: { status: 409, title: 'This idempotency key belongs to a request with another body' },
  account_not_found: { status: 404, title: 'No account has this id' },
  internal: { status: 500, title: 'Something went wrong on our side; it has been recorded' },
  log_unavailable: {
    status: 503,
    title: 'The log did not confirm the request; try again under the same idempotency key',
  },
  payment_not_found: { status: 404, title: 'No payment has this id' },
  payment_rejected: { status: 422, title: 'The payment was refused by the risk rules' },
  rate_limited: { status: 429, title: 'This API key sends more requests than it may' },
  route_not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This address does not take that method' },
  signature_invalid: { status: 400, title: 'The webhook signature does not match its body' },
  signature_stale: { status: 400, title: 'The webhook signature is older than the tolerance' },
} as const satisfies Record<string, { status: number; title: string }>

export type RefusalCode = keyof typeof refusals

/** The caller's mistake, safe to show: it names the field and what would be right, never the value sent. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly code: RefusalCode
  readonly status: number
  /** Path of the field that was wrong, as in `amount` or `metadata.order`. */
  readonly field: string | undefined
  /** For 429 and 503: when to try again, in seconds. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: RefusalCode, about: { detail?: string; field?: string; retryAfterSeconds?: number } = {}) {
    super(about.detail ?? refusals[code].title)
    this.code = code
    this.status = refusals[code].status
    this.field = about.field
    this.retryAfterSeconds = about.retryAfterSeconds
  }
}

/** A mistake in how the program was called or configured: one line, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}
