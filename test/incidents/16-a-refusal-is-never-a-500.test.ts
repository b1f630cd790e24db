import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock'
import { Refusal, type RefusalCode, refusals } from '#kernel/errors'
import { createHttpServer } from '#kernel/http'
import { systemRandom } from '#kernel/random'
import { createLogger } from '#kernel/telemetry'

// The accident: a refusal that was no fault of the server came out as HTTP 500, because each handler mapped errors by
// itself. Every refusal of the registry goes through the one mapping here, its status stated by this test; a refusal
// that is added has to be added to this table, and one that nothing ever refuses with is found.

const statuses: Readonly<Record<RefusalCode, number>> = {
  account_not_found: 404,
  account_closed: 422,
  account_exists: 409,
  account_kind_invalid: 422,
  account_not_guarded: 422,
  account_unknown: 422,
  ceiling_exceeded: 422,
  condition_failed: 409,
  currency_mismatch: 422,
  entry_not_found: 404,
  entry_not_sealed: 409,
  entry_reversed: 409,
  hold_ended: 409,
  hold_exceeded: 422,
  hold_not_found: 404,
  id_reused: 409,
  insufficient_funds: 422,
  limit_invalid: 422,
  linked_refused: 409,
  period_closed: 422,
  period_invalid: 422,
  reason_invalid: 422,
  unbalanced: 422,
  chart_unknown: 422,
  template_unknown: 422,
  template_parameter_missing: 422,
  template_parameter_unknown: 422,
  template_parameter_invalid: 422,
  split_exceeded: 422,
  payout_not_found: 404,
  amount_invalid: 422,
  amount_too_large: 422,
  api_key_invalid: 401,
  body_invalid: 400,
  body_malformed: 400,
  body_too_large: 413,
  content_type_unsupported: 415,
  currency_unknown: 422,
  cursor_invalid: 400,
  disk_full: 503,
  events_archived: 410,
  gateway_account_not_found: 404,
  idempotency_key_invalid: 400,
  idempotency_key_missing: 400,
  idempotency_key_reused: 409,
  internal: 500,
  database_unavailable: 503,
  log_unavailable: 503,
  method_not_allowed: 405,
  parameter_invalid: 400,
  payment_not_found: 404,
  payment_rejected: 422,
  payment_state_invalid: 409,
  quote_expired: 422,
  quote_invalid: 422,
  rate_exists: 409,
  rate_limited: 429,
  rate_stale: 422,
  rate_unknown: 422,
  revaluation_passed: 409,
  route_not_found: 404,
  schedule_ended: 409,
  schedule_not_found: 404,
  schedule_passed: 422,
  signature_invalid: 400,
  signature_stale: 400,
  streams_too_many: 429,
  version_unknown: 400,
  webhook_endpoint_not_found: 404,
  webhook_endpoints_too_many: 409,
  webhook_message_not_found: 404,
  webhook_messages_dropped: 410,
  webhook_url_refused: 422,
}

const codes = Object.keys(refusals) as RefusalCode[]

test('the registry has these refusals with these statuses, and no other', () => {
  assert.deepEqual(Object.fromEntries(codes.map((code) => [code, refusals[code].status])), statuses)
})

for (const code of codes) {
  test(`${code} is answered with ${statuses[code]} and says what it is`, async (t) => {
    const server = createHttpServer({
      logger: createLogger({ level: 'silent', clock: systemClock }),
      clock: systemClock,
      random: systemRandom,
      bodyLimit: 1_000,
    })
    t.after(() => server.close())
    server.get('/refuse', () => {
      throw new Refusal(code, { field: 'amount', retryAfterSeconds: 3 })
    })
    const answer = await server.inject({ method: 'GET', url: '/refuse' })
    assert.equal(answer.statusCode, statuses[code])
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
    const problem = answer.json<Record<string, unknown>>()
    assert.equal(problem.status, statuses[code])
    assert.ok(String(problem.type).endsWith(code), `type ${problem.type}`)
    assert.equal(answer.headers['retry-after'], '3')
  })
}

test('each refusal is refused with somewhere in the code', () => {
  const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && path !== join('kernel', 'errors.ts'))
    .map((path) => readFileSync(join(src, path), 'utf8'))
    .join('\n')
  const unused = codes.filter((name) => !code.includes(`'${name}'`))
  assert.deepEqual(unused, [])
})

const src = join(import.meta.dirname, '../../src')
