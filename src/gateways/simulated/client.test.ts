import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { systemClock } from '#kernel/clock'
import { FetchFailure, type HttpFetch, systemFetch } from '#kernel/fetch'
import { seededRandom } from '#kernel/random'
import { type Authorization, createSimulatedClient, type GatewayOutcome } from './client.ts'
import { startSimulatedGateway } from './server.ts'

const digest = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 26)
const paymentId = `pay_${'a'.repeat(26)}`

async function openGateway(t: TestContext) {
  const { fetch, close } = systemFetch(systemClock)
  const gateway = await startSimulatedGateway({
    clock: systemClock,
    random: seededRandom(1),
    webhookUrl: 'http://127.0.0.1:1/',
    webhookSecret: 'whsec_one',
    apiKey: 'key_one',
    deliver: 'hold',
  })
  t.after(async () => {
    await close()
    await gateway.stop()
  })
  const client = createSimulatedClient({ url: gateway.url, apiKey: 'key_one', fetch, digest })
  const authorize = (about: Partial<Authorization> = {}): Promise<GatewayOutcome> =>
    client.authorize({
      paymentId,
      operationId: 'op_1',
      amountMinor: 1500,
      currency: 'EUR',
      captureMode: 'automatic',
      paymentMethod: 'pm_sim_approve',
      timeoutMs: 5000,
      ...about,
    })
  return { gateway, client, authorize, fetch }
}

/** A client whose network does what is told. */
function clientOver(answer: () => ReturnType<HttpFetch>) {
  return createSimulatedClient({ url: 'http://gateway.invalid', apiKey: 'key_one', fetch: answer, digest })
}

const kindsOf = (outcome: GatewayOutcome): string[] => {
  assert.ok(outcome.outcome === 'answered' || outcome.outcome === 'declined', JSON.stringify(outcome))
  return outcome.reports.map((report) => `${report.kind} ${'status' in report ? report.status : report.amount}`)
}

test('an approved payment answers with its intent, charge and fee', async (t) => {
  const { authorize } = await openGateway(t)
  assert.deepEqual(kindsOf(await authorize()), ['intent succeeded', 'charge captured', 'fee 44'])
})

test('a payment to be captured later is only authorized, and has no fee yet', async (t) => {
  const { authorize } = await openGateway(t)
  const outcome = await authorize({ captureMode: 'manual' })
  assert.deepEqual(kindsOf(outcome), ['intent requires_capture', 'charge authorized'])
})

test("a declined payment says the bank's own reason", async (t) => {
  const { authorize } = await openGateway(t)
  const outcome = await authorize({ paymentMethod: 'pm_sim_decline_insufficient_funds' })
  assert.equal(outcome.outcome === 'declined' && outcome.code, 'insufficient_funds')
  assert.deepEqual(kindsOf(outcome), ['intent failed', 'charge failed'])
})

test('a timeout after charging is unknown; asking finds the money, and asking again charges nothing', async (t) => {
  const { gateway, client, authorize } = await openGateway(t)
  const lost = { paymentMethod: 'pm_sim_timeout_after_charge', timeoutMs: 100 }
  assert.deepEqual(await authorize(lost), { outcome: 'unknown', reason: 'timeout' })
  assert.deepEqual(kindsOf(await client.find(paymentId)), ['intent succeeded', 'charge captured', 'fee 44'])
  assert.deepEqual(kindsOf(await authorize({ ...lost, timeoutMs: 5000 })), [
    'intent succeeded',
    'charge captured',
    'fee 44',
  ])
  assert.equal(gateway.intentsOf(paymentId).length, 1)
})

test('a timeout before charging is unknown too; asking finds nothing', async (t) => {
  const { client, authorize } = await openGateway(t)
  const outcome = await authorize({ paymentMethod: 'pm_sim_timeout_before_charge', timeoutMs: 50 })
  assert.deepEqual(outcome, { outcome: 'unknown', reason: 'timeout' })
  assert.deepEqual(await client.find(paymentId), { outcome: 'absent' })
})

test('a server error is unknown', async (t) => {
  const { authorize } = await openGateway(t)
  const outcome = await authorize({ paymentMethod: 'pm_sim_error_500' })
  assert.deepEqual(outcome, { outcome: 'unknown', reason: 'server_error' })
})

test('the same operation with another body is refused', async (t) => {
  const { gateway, authorize } = await openGateway(t)
  await authorize()
  assert.deepEqual(await authorize({ amountMinor: 1600 }), { outcome: 'refused', code: 'idempotency_key_reused' })
  assert.equal(gateway.intentsOf(paymentId).length, 1)
})

test('a wrong key is refused', async (t) => {
  const { gateway, fetch } = await openGateway(t)
  const client = createSimulatedClient({ url: gateway.url, apiKey: 'key_two', fetch, digest })
  assert.deepEqual(await client.find(paymentId), { outcome: 'refused', code: 'api_key_invalid' })
})

test('amounts cross in the units of the gateway and come back in ours', async (t) => {
  const { gateway, authorize } = await openGateway(t)
  const outcome = await authorize({ amountMinor: 700, currency: 'ISK' })
  assert.equal(outcome.outcome === 'answered' && outcome.reports[0]?.amount, 700)
  assert.equal(gateway.intentsOf(paymentId)[0]?.amount, 70_000)
})

test('an amount the gateway cannot express is refused before anything is sent', async () => {
  const client = clientOver(() => assert.fail('nothing may be sent'))
  const authorization = { paymentId, operationId: 'op_1', amountMinor: 150, currency: 'MGA', timeoutMs: 1000 }
  const outcome = await client.authorize({ ...authorization, captureMode: 'automatic', paymentMethod: 'pm_1' })
  assert.deepEqual(outcome, { outcome: 'refused', code: 'amount_unrepresentable' })
})

test('a gateway that is not there is unreachable', async (t) => {
  const { gateway, client } = await openGateway(t)
  await gateway.stop()
  assert.deepEqual(await client.find(paymentId), { outcome: 'unreachable' })
})

for (const [phase, reason, outcome] of [
  ['connect', 'timeout', { outcome: 'unreachable' }],
  ['connect', 'connection', { outcome: 'unreachable' }],
  ['after_send', 'timeout', { outcome: 'unknown', reason: 'timeout' }],
  ['after_send', 'connection', { outcome: 'unknown', reason: 'connection' }],
  ['after_send', 'too_large', { outcome: 'unknown', reason: 'connection' }],
] as const) {
  test(`no answer, ${reason} in phase ${phase}, is ${outcome.outcome}`, async () => {
    const client = clientOver(() => Promise.reject(new FetchFailure(phase, reason)))
    assert.deepEqual(await client.find(paymentId), outcome)
  })
}

for (const [status, body, outcome] of [
  [200, 'not JSON', { outcome: 'unknown', reason: 'server_error' }],
  [200, '{}', { outcome: 'unknown', reason: 'server_error' }],
  [200, '{"data":[]}', { outcome: 'absent' }],
  [200, '{"data":[{}]}', { outcome: 'unknown', reason: 'server_error' }],
  [302, '', { outcome: 'unknown', reason: 'server_error' }],
  [400, '{"error":{"code":"parameter_missing"}}', { outcome: 'refused', code: 'parameter_missing' }],
  [400, '{"error":{"code":"Ada Lovelace"}}', { outcome: 'refused', code: 'gateway_refused' }],
  [404, '<html>', { outcome: 'refused', code: 'gateway_refused' }],
  [408, '', { outcome: 'unknown', reason: 'server_error' }],
  [409, '{"error":{"code":"lock_timeout"}}', { outcome: 'unknown', reason: 'server_error' }],
  [503, '{"data":[]}', { outcome: 'unknown', reason: 'server_error' }],
] as const) {
  test(`status ${status} with ${body || 'nothing'} is ${outcome.outcome}`, async () => {
    const client = clientOver(() => Promise.resolve({ status, headers: {}, body }))
    assert.deepEqual(await client.find(paymentId), outcome)
  })
}

test('a held payment is captured in part, once, under its operation', async (t) => {
  const { gateway, client, authorize } = await openGateway(t)
  await authorize({ captureMode: 'manual' })
  const objectId = gateway.intentsOf(paymentId)[0]?.id ?? ''
  const capture = { paymentId, operationId: 'op_2', objectId, amountMinor: 1000, currency: 'EUR', timeoutMs: 5000 }
  const outcome = await client.capture(capture)
  assert.deepEqual(kindsOf(outcome), ['intent succeeded', 'charge captured', 'fee 29'])
  assert.deepEqual(await client.capture(capture), outcome)
  assert.deepEqual(await client.capture({ ...capture, operationId: 'op_3' }), {
    outcome: 'refused',
    code: 'payment_intent_unexpected_state',
  })
})

test('a held payment is canceled', async (t) => {
  const { gateway, client, authorize } = await openGateway(t)
  await authorize({ captureMode: 'manual' })
  const objectId = gateway.intentsOf(paymentId)[0]?.id ?? ''
  const outcome = await client.cancel({ paymentId, operationId: 'op_2', objectId, timeoutMs: 5000 })
  assert.deepEqual(kindsOf(outcome), ['intent canceled', 'charge voided'])
})

test('a refund is made once for its operation, and asking finds it with the operation that made it', async (t) => {
  const { gateway, client, authorize } = await openGateway(t)
  await authorize()
  const objectId = gateway.intentsOf(paymentId)[0]?.latest_charge?.id ?? ''
  const operationId = `op_${'b'.repeat(26)}`
  const refund = { paymentId, operationId, objectId, amountMinor: 500, currency: 'EUR', timeoutMs: 5000 }
  assert.deepEqual(kindsOf(await client.refund(refund)), ['refund succeeded'])
  assert.deepEqual(await client.refund(refund), await client.refund(refund))
  const found = await client.find(paymentId)
  assert.deepEqual(kindsOf(found), ['intent succeeded', 'charge captured', 'fee 44', 'refund succeeded'])
  const [known] = found.outcome === 'answered' ? found.reports.filter(({ kind }) => kind === 'refund') : []
  assert.ok(known !== undefined && 'operation' in known)
  assert.equal(known.operation, operationId)
})

test('asking finds disputes too', async (t) => {
  const { gateway, client, authorize } = await openGateway(t)
  await authorize()
  gateway.dispute(gateway.intentsOf(paymentId)[0]?.latest_charge?.id ?? '', 700)
  assert.deepEqual(kindsOf(await client.find(paymentId)), [
    'intent succeeded',
    'charge captured',
    'fee 44',
    'dispute needs_response',
    'fee 1500',
  ])
})

test('too many requests at once are asked again later', async () => {
  const client = clientOver(() => Promise.resolve({ status: 429, headers: { 'retry-after': '2' }, body: '' }))
  assert.deepEqual(await client.find(paymentId), { outcome: 'unreachable', retryAfterMs: 2000 })
})
