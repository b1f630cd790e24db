/**
 * Every refusal a caller can meet; docs/errors.md is tested against this table in both directions.
 * `status` is the HTTP status of the RFC 9457 problem that carries it.
 */
export const refusals = {
  amount_invalid: { status: 422, title: 'The amount must be a positive whole number of minor units' },
  amount_too_large: { status: 422, title: 'The amount is larger than what is left to capture or refund' },
  api_key_invalid: { status: 401, title: 'No valid API key came with the request' },
  body_invalid: { status: 400, title: 'The request body has a field that is not as documented' },
  body_malformed: { status: 400, title: 'The request body is not valid JSON' },
  body_too_large: { status: 413, title: 'The request body is larger than the limit' },
  content_type_unsupported: { status: 415, title: 'The request body must be application/json' },
  currency_unknown: { status: 422, title: 'The currency must be an ISO 4217 code' },
  cursor_invalid: { status: 400, title: 'The cursor does not belong to this list' },
  database_unavailable: { status: 503, title: 'The database does not answer now; try again' },
  disk_full: { status: 503, title: 'The disk is too full to accept anything safely; try again later' },
  events_archived: { status: 410, title: 'These events are so old that they are in the archive alone' },
  gateway_account_not_found: { status: 404, title: 'No gateway account has this name' },
  idempotency_key_missing: { status: 400, title: 'The header Idempotency-Key is required' },
  idempotency_key_invalid: { status: 400, title: 'The header Idempotency-Key must be 1 to 255 characters' },
  idempotency_key_reused: { status: 409, title: 'This idempotency key belongs to a request with another body' },
  account_closed: { status: 422, title: 'The account is closed' },
  account_exists: { status: 409, title: 'There is an account of this name with other settings' },
  account_kind_invalid: { status: 422, title: 'An account of this name cannot be of this kind' },
  account_not_guarded: { status: 422, title: 'A condition can only be set on a guarded account' },
  account_unknown: { status: 422, title: 'There is no account of this name' },
  ceiling_exceeded: { status: 422, title: 'The account would have more than its ceiling' },
  condition_failed: { status: 409, title: 'A condition of the entry does not hold' },
  currency_mismatch: { status: 422, title: 'The account takes another currency' },
  entry_not_found: { status: 404, title: 'No entry has this source' },
  entry_not_sealed: { status: 409, title: 'No block has sealed the entry yet' },
  entry_reversed: { status: 409, title: 'The entry has been reversed' },
  hold_ended: { status: 409, title: 'The hold has been posted or voided, or has expired' },
  hold_exceeded: { status: 422, title: 'The amount is larger than what is held' },
  hold_not_found: { status: 404, title: 'No hold has this id' },
  id_reused: { status: 409, title: 'This id belongs to something else' },
  insufficient_funds: { status: 422, title: 'The account would have less than its floor' },
  limit_invalid: { status: 422, title: 'The account is past the limit already' },
  linked_refused: { status: 409, title: 'Another of the linked entries was refused' },
  period_invalid: { status: 422, title: 'The books cannot be closed or opened up to this time' },
  reason_invalid: { status: 422, title: 'The reason must be plain words, and nothing personal' },
  period_closed: { status: 422, title: 'The period of the effective time is closed' },
  chart_unknown: { status: 422, title: 'There is no such chart of accounts, or no such account in it' },
  template_unknown: { status: 422, title: 'There is no template of this name' },
  template_parameter_missing: { status: 422, title: 'A parameter of the template is missing' },
  template_parameter_unknown: { status: 422, title: 'The template has no parameter of this name' },
  template_parameter_invalid: { status: 422, title: 'A parameter of the template is not of its kind' },
  split_exceeded: { status: 422, title: 'The parts of an amount are more than all of it' },
  payout_not_found: { status: 404, title: 'No payout has this id' },
  unbalanced: { status: 422, title: 'The postings of a currency do not add up to zero' },
  account_not_found: { status: 404, title: 'No account has this id' },
  internal: { status: 500, title: 'Something went wrong on our side; it has been recorded' },
  log_unavailable: {
    status: 503,
    title: 'The log did not confirm the request; try again under the same idempotency key',
  },
  parameter_invalid: { status: 400, title: 'A parameter of the address or a header is not as documented' },
  payment_not_found: { status: 404, title: 'No payment has this id' },
  payment_state_invalid: { status: 409, title: 'The payment is not in a state in which that can be done' },
  payment_rejected: { status: 422, title: 'The payment was refused by the risk rules' },
  quote_expired: { status: 422, title: 'The quote has expired; ask for another' },
  quote_invalid: { status: 422, title: 'The quote is not for this conversion' },
  rate_limited: { status: 429, title: 'This API key sends more requests than it may' },
  rate_exists: { status: 409, title: 'There is another rate of this source and day' },
  rate_stale: { status: 422, title: 'The last exchange rate of these currencies is too old' },
  rate_unknown: { status: 422, title: 'No exchange rate is known for these currencies on this day' },
  revaluation_passed: { status: 409, title: 'A later day has been revalued already' },
  route_not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This address does not take that method' },
  schedule_ended: { status: 409, title: 'What was scheduled has been booked or refused' },
  schedule_not_found: { status: 404, title: 'Nothing is scheduled under this id' },
  schedule_passed: { status: 422, title: 'The time to book it at is not in the future' },
  signature_invalid: { status: 400, title: 'The webhook signature does not match its body' },
  signature_stale: { status: 400, title: 'The webhook signature is older than the tolerance' },
  streams_too_many: { status: 429, title: 'This API key holds as many event streams open as it may' },
  version_unknown: { status: 400, title: 'There is no API version of this date' },
  webhook_endpoint_not_found: { status: 404, title: 'No webhook endpoint has this id' },
  webhook_endpoints_too_many: { status: 409, title: 'There are as many webhook endpoints as there may be' },
  webhook_message_not_found: { status: 404, title: 'The endpoint has no message of this sequence' },
  webhook_messages_dropped: { status: 410, title: 'The endpoint no longer has the messages from there on' },
  webhook_url_refused: { status: 422, title: 'Webhooks cannot be sent to this address' },
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
  /** Members of the problem that go with its code, as `available` and `needed`. */
  readonly members: Readonly<Record<string, string>>

  constructor(
    code: RefusalCode,
    about: { detail?: string; field?: string; retryAfterSeconds?: number; members?: Record<string, string> } = {},
  ) {
    super(about.detail ?? refusals[code].title)
    this.code = code
    this.status = refusals[code].status
    this.field = about.field
    this.retryAfterSeconds = about.retryAfterSeconds
    this.members = about.members ?? {}
  }
}

/** A mistake in how the program was called or configured: one line, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}
