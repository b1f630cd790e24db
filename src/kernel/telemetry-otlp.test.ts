import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { openCollector } from '#harness/collector'
import { systemClock } from './clock.ts'
import { openOtlpTracer } from './telemetry-otlp.ts'
import { type FinishedSpan, traceparentOf } from './tracing.ts'

const about = { clock: systemClock, version: '1.2.3' }
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

function span(place: number, isSampled = true): FinishedSpan {
  const spanId = place.toString(16).padStart(16, '0')
  const traceparent = traceparentOf(traceId, spanId, isSampled)
  const times = { startedAt: 1_700_000_000_000.25, endedAt: 1_700_000_000_001.5 }
  return { kind: 'handle', subject: 'toy.asked', traceparent, parentId: undefined, attributes: {}, ...times }
}

test('a span is sent under the ids it was given, with its times to the microsecond', async (t) => {
  const collector = await openCollector(t)
  const tracer = await openOtlpTracer({ url: collector.url, serviceName: 'shop', ratio: 1 }, about)
  tracer.record({ ...span(7), parentId: '00f067aa0ba902b7', links: [span(9).traceparent], error: 'parked' })
  tracer.record(span(8, false))
  await tracer.close()
  const [sent, ...more] = collector.spans
  assert.deepEqual(more, [])
  assert.deepEqual([sent?.traceId, sent?.spanId, sent?.parentId], [traceId, '0000000000000007', '00f067aa0ba902b7'])
  assert.deepEqual([sent?.name, sent?.service, sent?.hasFailed], ['handle toy.asked', 'shop', true])
  assert.equal(sent?.links[0]?.spanId, '0000000000000009')
  assert.equal(sent?.startedAt, 1_700_000_000_000_250_000n)
  assert.equal(sent?.endedAt, 1_700_000_000_001_500_000n)
  assert.deepEqual(tracer.counts(), { recorded: 1, exported: 1, failed: 0 })
})

test('what a collector does not take in time is dropped: a bounded number waits', async (t) => {
  const collector = await openCollector(t, { hangs: true })
  const tracer = await openOtlpTracer({ url: collector.url, serviceName: 'shop', ratio: 1 }, about)
  const before = process.memoryUsage().heapUsed
  for (let place = 1; place <= 200_000; place++) tracer.record(span(place))
  assert.ok(process.memoryUsage().heapUsed - before < 150 * 1024 * 1024)
  const begunMs = systemClock.monotonicMs()
  await tracer.close()
  assert.ok(systemClock.monotonicMs() - begunMs < 2_000)
})

test('spans that nobody takes fail in silence', async () => {
  // Port 9 is the discard service's; nobody listens there.
  const tracer = await openOtlpTracer({ url: 'http://127.0.0.1:9/v1/traces', serviceName: 'shop', ratio: 1 }, about)
  tracer.record(span(1))
  await tracer.close()
  assert.equal(tracer.counts().exported, 0)
})

test('the share of traces that is taken is the one asked for, and by the trace alone', async () => {
  const open = (ratio: number) => openOtlpTracer({ url: 'http://127.0.0.1:9', serviceName: 'shop', ratio }, about)
  const [none, some, all] = await Promise.all([open(0), open(0.25), open(1)])
  const ids = Array.from({ length: 4_000 }, (_, n) => createHash('sha256').update(`${n}`).digest('hex').slice(0, 32))
  const taken = ids.filter((id) => some.takes(id))
  assert.ok(taken.length > 850 && taken.length < 1_150)
  assert.ok(ids.every((id) => all.takes(id) && !none.takes(id)))
  await Promise.all([none, some, all].map((tracer) => tracer.close()))
})
