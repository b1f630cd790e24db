import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Delivery } from '#delivery'
import type { HttpFetch, HttpRequest } from '#kernel/fetch'
import { brandId, type TenantId } from '#kernel/ids'
import { type GatewayPorts, gatewayDestination } from './destination.ts'

const about = { operation: `op_${'1'.repeat(26)}`, payment: `pay_${'0'.repeat(26)}` }
const capture = { call: 'capture', ...about, object: 'pi_1', amount: 700, currency: 'EUR' }
const cancel = { call: 'cancel', ...about, object: 'pi_1' }
const refund = { call: 'refund', ...about, object: 'ch_1', amount: 300, currency: 'EUR' }
const refundObject = { object: 'refund', id: 're_1', charge: 'ch_1', amount: 300, currency: 'eur', status: 'succeeded' }

for (const [payload, path, body] of [
  [capture, '/v1/payment_intents/pi_1/capture', { amount_to_capture: 700 }],
  [cancel, '/v1/payment_intents/pi_1/cancel', {}],
  [refund, '/v1/refunds', { charge: 'ch_1', amount: 300 }],
] as const) {
  test(`a ${payload.call} is sent under its operation's id`, async () => {
    const sent: HttpRequest[] = []
    await destination(sent, refundObject).attempt(delivery(payload), 'send')
    const [request] = sent
    assert.equal(request?.url, `http://gateway.test${path}`)
    assert.equal(request?.headers['idempotency-key'], about.operation)
    const { metadata: _, ...rest } = JSON.parse(request?.body ?? '')
    assert.deepEqual(rest, body)
  })
}

test('the refund in the answer to a refund is known as that operation’s, whatever the gateway carries', async () => {
  const to = destination([], refundObject)
  const outcome = await to.attempt(delivery(refund), 'send')
  assert.ok(outcome.kind === 'done')
  const [fact] = to.settle(delivery(refund), outcome)
  const data = fact?.data as { call: string; outcome: string; reports: { kind: string; operation?: string }[] }
  assert.deepEqual([data.call, data.outcome], ['refund', 'answered'])
  assert.deepEqual(
    data.reports.map(({ kind, operation }) => [kind, operation]),
    [['refund', about.operation]],
  )
})

// Past the window a call is asked about and not sent. That the gateway holds something is no yes to the refund.
test('what was only asked about is told as a question, and names nothing ours that is not', async () => {
  const sent: HttpRequest[] = []
  const to = destination(sent, { object: 'list', data: [refundObject] })
  const outcome = await to.attempt(delivery(refund), 'ask')
  assert.ok(outcome.kind === 'done')
  const [fact] = to.settle(delivery(refund), outcome)
  const data = fact?.data as { call: string; reports: { operation?: string }[] }
  assert.deepEqual([sent[0]?.method, data.call, data.reports[0]?.operation], ['GET', 'find', undefined])
})

test('a gateway with too many requests is left alone for as long as it says', async () => {
  const limited = destination([], {}, { status: 429, headers: { 'retry-after': '7' } })
  assert.deepEqual(await limited.attempt(delivery(refund), 'send'), {
    kind: 'retry',
    reason: 'unreachable',
    afterMs: 7_000,
  })
})

function destination(
  sent: HttpRequest[],
  answer: object,
  how: { status?: number; headers?: Record<string, string> } = {},
) {
  const fetch: HttpFetch = async (request) => {
    sent.push(request)
    return { status: 200, headers: {}, body: JSON.stringify(answer), ...how }
  }
  const account = { name: 'acme', gateway: 'simulated', tenant: 'main', mode: 'test', merchant: 'mer_acme' } as const
  const seal = { digest: (...parts: string[]) => parts.join('_') } as unknown as GatewayPorts['seal']
  const ports: GatewayPorts = { seal, fetch, paymentMethodContext: () => '' }
  return gatewayDestination({ ...account, webhookSecrets: [], url: 'http://gateway.test' }, ports)
}

function delivery(payload: unknown): Delivery {
  const cause = { id: 'evt_1', key: about.payment, tenant: brandId<TenantId>('main'), mode: 'test' as const }
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const base = { id: about.operation, destination: 'gateway:acme', key: about.payment, notAfter: null }
  return { ...base, payload, attempts: 1, firstAttemptAt: 0, cause: { ...cause, traceparent, correlationId: 'evt_1' } }
}
