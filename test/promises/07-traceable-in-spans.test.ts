import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CollectedSpan, type Collector, openCollector } from '#harness/collector'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { spanIdOf } from '#kernel/tracing'
import { order, startTestPlatform } from '../flows/platform.ts'

// What whoever operates the platform sees of one payment in a tracing backend: one trace, from the request to the books,
// over the call to the gateway and the gateway's webhook. The collector is a real server that speaks OTLP.

const REQUEST = 'POST /v1/payments'
const email = 'ada.lovelace@example.com'
const callers = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

test('one payment is one trace, from its request to the ledger and the calls that leave the house', async (t) => {
  const collector = await openCollector(t)
  const receiver = await startReceiver(t)
  const webhooks = { allowHosts: ['127.0.0.1'], backlogMax: 100 }
  const platform = await startTestPlatform(t, { tracing: settingsFor(collector), webhooks })
  const endpoint = JSON.stringify({ url: receiver.url, events: ['payment.captured'] })
  assert.equal((await platform.request('POST', '/v1/webhook-endpoints', { body: endpoint })).status, 201)

  await platform.paymentThatIs('captured', (await platform.pay(order)).body.id)
  await until('the merchant was told', () => receiver.taken.length === 1)
  const told = spanIdOf(String(receiver.taken[0]?.headers.traceparent))
  const trace = await wholeTrace(collector, ({ spanId }) => spanId === told)

  const [root] = trace.filter(({ parentId }) => parentId === undefined)
  assert.equal(root?.name, REQUEST)
  assert.deepEqual(orphansIn(trace), [])
  assert.equal(new Set(trace.map(({ spanId }) => spanId)).size, trace.length)

  // Decided, called, answered.
  assert.ok(find(trace, 'handle payment.requested', 'payments.decide'))
  const call = find(trace, 'deliver delivery:gateway:simulated')
  assert.equal(call?.attributes['millrace.delivery.outcome'], 'done')
  assert.equal(find(trace, 'publish gateway.call_answered')?.parentId, call?.spanId)

  // Reported by the gateway, in a request of its own that the trace links to.
  const accepted = trace.filter(({ name }) => name === 'accept gateway.event_received')
  assert.ok(accepted.length > 0)
  for (const { links } of accepted) {
    const [request] = collector.spans.filter(({ traceId }) => traceId === links[0]?.traceId)
    assert.equal(request?.name, 'POST /v1/gateways/:gateway/:account/webhooks')
  }
  assert.ok(find(trace, 'handle gateway.event_received', 'gateways.correlate'))

  // Booked: from the balances all the way back to the request.
  const booked = find(trace, 'handle ledger.entry_posted', 'ledger.balances')
  const way = wayBack(trace, booked)
  assert.deepEqual(way.slice(0, 4), [
    'handle ledger.entry_posted',
    'publish ledger.entry_posted',
    'handle payment.captured',
    'publish payment.captured',
  ])
  assert.equal(way.at(-1), REQUEST)

  // Told to the merchant, under the span that the receiver was given.
  const outgoing = trace.find(({ spanId }) => spanId === told)
  assert.deepEqual(wayBack(trace, outgoing).slice(0, 2), ['deliver delivery:webhooks', 'publish payment.captured'])
  assert.equal(wayBack(trace, outgoing).at(-1), REQUEST)
})

test('a span tells nothing of a person, says whose it is, and ends after it began', async (t) => {
  const collector = await openCollector(t)
  const platform = await startTestPlatform(t, { tracing: settingsFor(collector) })
  const { body } = await platform.pay({ ...order, customer: email, description: 'a private matter' })
  await platform.paymentThatIs('captured', body.id)
  const trace = await wholeTrace(collector)
  assert.deepEqual(collector.bodies.join('').match(/lovelace|private matter|cus_|pm_sim|millrace_|Bearer/gi), null)
  for (const { service, startedAt, endedAt } of collector.spans) {
    assert.equal(service, 'millrace')
    assert.ok(endedAt >= startedAt)
  }
  assert.equal(find(trace, 'handle payment.requested')?.attributes['millrace.payment'], body.id)
})

test('what one transaction handled links to it', async (t) => {
  const collector = await openCollector(t)
  const platform = await startTestPlatform(t, { tracing: settingsFor(collector) })
  await platform.paymentThatIs('captured', (await platform.pay(order)).body.id)
  const trace = await wholeTrace(collector)
  for (const { name, attributes, links } of trace.filter((span) => span.name.startsWith('handle '))) {
    const [batch] = collector.spans.filter(({ spanId }) => spanId === links[0]?.spanId)
    assert.equal(batch?.name, `batch ${attributes['messaging.consumer.group.name']}`, name)
  }
})

test('a trace that the caller began goes on under the caller’s span', async (t) => {
  const collector = await openCollector(t)
  const platform = await startTestPlatform(t, { tracing: { ...settingsFor(collector), ratio: 0 } })
  const id = await payIn(platform, '01')
  await platform.paymentThatIs('captured', id)
  const trace = await wholeTrace(collector)
  const [request] = trace.filter(({ name }) => name === REQUEST)
  assert.equal(request?.traceId, callers.traceId)
  assert.equal(request?.parentId, callers.spanId)
  assert.notEqual(request?.spanId, callers.spanId)
  assert.deepEqual(orphansIn(trace), [request])
})

test('a trace that the caller does not record, and one not sampled here, is not sent', async (t) => {
  const collector = await openCollector(t)
  const platform = await startTestPlatform(t, { tracing: { ...settingsFor(collector), ratio: 0 } })
  await platform.paymentThatIs('captured', await payIn(platform, '00'))
  await platform.paymentThatIs('captured', (await platform.pay(order, 'order-2')).body.id)
  await platform.stop()
  assert.deepEqual(collector.spans, [])
})

test('a collector that hangs holds up no payment, and stopping for a second at most', async (t) => {
  const collector = await openCollector(t, { hangs: true })
  const platform = await startTestPlatform(t, { tracing: settingsFor(collector) })
  await platform.paymentThatIs('captured', (await platform.pay(order)).body.id)
  const tracer = platform.app.tracer
  const begunMs = systemClock.monotonicMs()
  await tracer.close()
  assert.ok(systemClock.monotonicMs() - begunMs < 2_000)
})

function settingsFor({ url }: Collector) {
  return { url, serviceName: 'millrace', ratio: 1 }
}

async function payIn(platform: Awaited<ReturnType<typeof startTestPlatform>>, flags: string): Promise<unknown> {
  const headers = { 'idempotency-key': 'order-1', traceparent: `00-${callers.traceId}-${callers.spanId}-${flags}` }
  return (await platform.request('POST', '/v1/payments', { headers, body: JSON.stringify(order) })).body.id
}

/** The trace of the payment's request, once the books show the capture and the gateway has told of it. */
async function wholeTrace(
  collector: Collector,
  awaited: (span: CollectedSpan) => boolean = () => true,
): Promise<CollectedSpan[]> {
  const last = ['handle ledger.entry_posted', 'handle gateway.event_received']
  const trace = (): CollectedSpan[] => {
    const [request] = collector.spans.filter(({ name }) => name === REQUEST)
    return collector.spans.filter(({ traceId }) => traceId === request?.traceId)
  }
  await until('the trace is whole', async () => {
    const seen = trace()
    return (
      last.every((name) => seen.some((span) => span.name === name)) && seen.some(awaited) && orphansIn(seen).length <= 1
    )
  })
  return trace()
}

/** Spans whose parent is missing, but for roots. */
function orphansIn(trace: readonly CollectedSpan[]): CollectedSpan[] {
  const ids = new Set(trace.map(({ spanId }) => spanId))
  return trace.filter(({ parentId }) => parentId !== undefined && !ids.has(parentId))
}

function find(trace: readonly CollectedSpan[], name: string, group?: string): CollectedSpan | undefined {
  return trace.find(
    (span) => span.name === name && (group === undefined || span.attributes['messaging.consumer.group.name'] === group),
  )
}

function wayBack(trace: readonly CollectedSpan[], from: CollectedSpan | undefined): string[] {
  const names: string[] = []
  for (let span = from; span !== undefined; span = trace.find(({ spanId }) => spanId === span?.parentId))
    names.push(span.name)
  return names
}
