import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { rowsOf } from '#harness/app'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { drain } from '../../src/cli/drain.ts'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

// Whoever runs two of them takes one out of traffic before it closes its door: `/readyz` first, then connections, then
// the port. What is under way is finished; what does not finish is given up after a limit, by name.

const withoutGrace = { clock: systemClock, graceSeconds: 0, hasGrace: false }

test('during the grace it says that it is stopping, still takes payments, and lets no connection live on', async (t) => {
  const platform = await startTestPlatform(t)
  const ready = await platform.request('GET', '/readyz')
  assert.deepEqual([ready.status, ready.headers.connection], [200, 'keep-alive'])
  const draining = drain(platform, { clock: systemClock, graceSeconds: 2, limitSeconds: 25, hasGrace: true })

  const { status, body, headers } = await platform.request('GET', '/readyz')
  assert.deepEqual([status, body.reasons, headers.connection], [503, ['stopping'], 'close'])
  assert.equal((await platform.request('GET', '/healthz')).status, 200)
  const paid = await platform.request('POST', '/v1/payments', {
    headers: { 'idempotency-key': 'last', prefer: 'wait=10' },
    body: JSON.stringify(order),
  })
  assert.deepEqual([paid.status, paid.body.status, paid.headers.connection], [201, 'captured', 'close'])
  assert.deepEqual(await draining, [])
  await assert.rejects(platform.request('GET', '/healthz'))
})

test('whoever waits is answered, and a stream ends with a hint when to come back', async (t) => {
  const platform = await startTestPlatform(t)
  const socket = await follow(t, platform)
  let streamed = ''
  socket.on('data', (data) => {
    streamed += data
  })
  const waiting = platform.request('POST', '/v1/payments', {
    headers: { 'idempotency-key': 'slow', prefer: 'wait=30' },
    body: JSON.stringify({ ...order, payment_method: 'pm_sim_timeout_after_charge' }),
  })
  await until('the request is under way', () => platform.http.underWay() > 1)
  const [left, answer] = await Promise.all([drain(platform, { ...withoutGrace, limitSeconds: 25 }), waiting])
  assert.deepEqual([left, answer.status, answer.body.status], [[], 202, 'pending'])
  if (!socket.closed) await once(socket, 'close')
  assert.match(streamed, /retry: 2000\n\n\s*0?\s*$/)
})

test('a request that never ends and a call that hangs do not keep it longer than the limit, and are told', async (t) => {
  const platform = await startTestPlatform(t, { webhooks: { allowHosts: ['127.0.0.1'], backlogMax: 100 } })
  const hanging = Promise.withResolvers<void>()
  const receiver = await startReceiver(t, () => hanging.promise.then(() => 204))
  const created = await platform.request('POST', '/v1/webhook-endpoints', {
    headers: { 'idempotency-key': 'endpoint' },
    body: JSON.stringify({ url: receiver.url, events: ['payment.*'] }),
  })
  assert.equal(created.status, 201)
  await platform.pay(order)
  await until('the endpoint is called', () => receiver.received.length > 0)
  await askHalf(t, platform)

  const begunMs = systemClock.monotonicMs()
  const draining = drain(platform, { ...withoutGrace, limitSeconds: 4 })
  const { read } = platform.app.databases
  await until('the gateway is anybody’s', async () => (await rowsOf(read, FREE_GATEWAYS)).length === 1, 3_500)
  const left = await draining
  const tookMs = systemClock.monotonicMs() - begunMs
  assert.ok(tookMs > 3_900 && tookMs < 6_000, `it took ${tookMs} ms`)
  assert.deepEqual(left, ['requests not answered: 1', 'calls to gateways and endpoints not recorded: 1'])
  hanging.resolve()
})

/** What hangs is a webhook: the gateway's calls have ended, and need not wait for it. */
const FREE_GATEWAYS = `select 1 as one from log.lease where grp like 'delivery:gateway:%' and owner is null`

async function follow(t: TestContext, { url, apiKey }: TestPlatform): Promise<Socket> {
  const socket = open(t, url)
  const headers = ['Host: x', `Authorization: Bearer ${apiKey}`, 'Accept: text/event-stream']
  socket.write(['GET /v1/events HTTP/1.1', ...headers, '', ''].join('\r\n'))
  await once(socket, 'data')
  return socket
}

/** A request whose end never comes. */
async function askHalf(t: TestContext, { url, apiKey }: TestPlatform): Promise<void> {
  const socket = open(t, url)
  const headers = ['Host: x', `Authorization: Bearer ${apiKey}`, 'Content-Type: application/json', 'Content-Length: 99']
  socket.write(['POST /v1/payments HTTP/1.1', ...headers, 'Expect: 100-continue', '', ''].join('\r\n'))
  await once(socket, 'data')
}

function open(t: TestContext, url: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  t.after(() => socket.destroy())
  return socket
}
