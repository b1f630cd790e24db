import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, systemClock } from '#kernel/clock'
import { traceIdOf } from '#kernel/http-trace'
import { brandId } from '#kernel/ids'
import { noTracer, spanIdOf, traceparentOf } from '#kernel/tracing'
import { ask } from './conformance/toy.ts'
import type { NewEvent } from './event.ts'
import { createRecentTraces } from './recent-traces.ts'

const tracer = { ...noTracer, isOn: true }
const first = traceparentOf('a'.repeat(32), 'a'.repeat(16), true)
const later = traceparentOf('b'.repeat(32), 'b'.repeat(16), false)

const event = (key: string, traceparent: string, tenant = 'main'): NewEvent => {
  return { ...ask(key, { n: 1 }), traceparent, tenant: brandId<NewEvent['tenant']>(tenant) }
}

test('what comes back of a payment goes on in the trace that took it, and says where it came in', () => {
  const traces = createRecentTraces(tracer, systemClock)
  traces.learn([event('pay_1', first)])
  const continued = traces.continued(event('acme/pi_1', later), 'pay_1')
  assert.equal(traceIdOf(continued.traceparent), traceIdOf(first))
  assert.equal(spanIdOf(continued.traceparent), spanIdOf(later))
  assert.deepEqual([continued.follows, continued.cameIn], [first, later])
})

test('the last request of a payment is the one that is gone on with', () => {
  const traces = createRecentTraces(tracer, systemClock)
  traces.learn([event('pay_1', later), event('pay_1', first)])
  assert.equal(traces.continued(event('acme/pi_1', later), 'pay_1').follows, first)
})

test('an unknown payment, another tenant’s, none, and a trace that is there already change nothing', () => {
  const traces = createRecentTraces(tracer, systemClock)
  traces.learn([event('pay_1', first), event('acme/pi_1', first)])
  const unchanged = [
    [event('acme/pi_1', later), 'pay_2'],
    [event('acme/pi_1', later, 'other'), 'pay_1'],
    [event('acme/pi_1', later), undefined],
    [event('acme/pi_1', later), 'acme/pi_1'],
    [event('acme/pi_1', first), 'pay_1'],
  ] as const
  for (const [received, key] of unchanged) assert.equal(traces.continued(received, key), received)
})

test('after a quarter of an hour, or with nothing recorded, a trace is forgotten', () => {
  let now = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => now }
  const traces = createRecentTraces(tracer, clock)
  const off = createRecentTraces(noTracer, clock)
  for (const one of [traces, off]) one.learn([event('pay_1', first)])
  const received = event('acme/pi_1', later)
  assert.equal(off.continued(received, 'pay_1'), received)
  now = 15 * 60 * 1000
  assert.equal(traces.continued(received, 'pay_1'), received)
})
