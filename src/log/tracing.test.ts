import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { traceIdOf } from '#kernel/http-trace'
import type { FinishedSpan, Tracer } from '#kernel/tracing'
import { isSampled, spanIdOf, traceparentOf } from '#kernel/tracing'
import { answered, ask, rang } from './conformance/toy.ts'
import { follow, type NewEvent } from './event.ts'
import type { EventRow } from './sql.ts'
import { handlingOf, traceAccepted, traceBatch } from './tracing.ts'

const group = 'toy.answer'
const watch = { startedAt: 1_000, endedAt: () => 1_002 }

function recording(): Tracer & { readonly spans: readonly FinishedSpan[] } {
  const spans: FinishedSpan[] = []
  return { isOn: true, spans, takes: () => true, record: (span) => void spans.push(span), close: async () => {} }
}

function asked(key: string, about: Partial<NewEvent> = {}): NewEvent {
  return { ...ask(key, { n: 1 }), traceparent: traceparentOf(key.padEnd(32, '0'), 'b'.repeat(16), true), ...about }
}

function row({ id, of, key, tenant, mode, traceparent, correlationId }: NewEvent): EventRow {
  const place = { topic: of.topic, partition: 3, offset: 0n, time: new Date(0), key, type: of.type }
  const headers = { version: 1, id, tenant, mode, traceparent, causation_id: null, correlation_id: correlationId }
  return { ...place, ...headers, data: {}, is_parked: false }
}

test('what follows from an event hangs below its handling, and that below the event, in one trace', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.stringMatching(/^[1-9a-f]{4,8}$/), { minLength: 1, maxLength: 8 }), (keys) => {
      const events = keys.map((key) => asked(key))
      const published = events.map((event) => follow(event, answered, { n: 1 }))
      const scheduled = events.map((event) => follow(event, rang, { n: 1 }))
      const tracer = recording()
      traceBatch(tracer, { group, rows: events.map(row), published, scheduled }, watch)

      const parents = new Map(tracer.spans.map((span) => [span.traceparent, span.parentId]))
      assert.equal(parents.size, 3 * events.length + 1)
      for (const [place, { traceparent }] of events.entries()) {
        const handling = handlingOf(traceparent, group)
        assert.equal(parents.get(handling), spanIdOf(traceparent))
        for (const { traceparent: next } of [published[place], scheduled[place]].filter((one) => one !== undefined)) {
          assert.equal(parents.get(next), spanIdOf(handling))
          assert.equal(traceIdOf(next), traceIdOf(traceparent))
        }
      }
      const [batch] = tracer.spans.filter(({ kind }) => kind === 'batch')
      const handled = tracer.spans.filter(({ kind }) => kind === 'handle')
      assert.ok(handled.every(({ links }) => links?.[0] === batch?.traceparent))
    }),
  )
})

test('two groups that handle one event have a span each', () => {
  const { traceparent } = asked('1')
  assert.notEqual(handlingOf(traceparent, group), handlingOf(traceparent, 'toy.count'))
})

test('a batch of which no event is sampled is not told, nor is any event of it that is not', () => {
  const silent = asked('1', { traceparent: traceparentOf('1'.repeat(32), 'b'.repeat(16), false) })
  const tracer = recording()
  traceBatch(tracer, { group, rows: [row(silent)], published: [], scheduled: [] }, watch)
  assert.deepEqual(tracer.spans, [])
  traceBatch(tracer, { group, rows: [row(silent), row(asked('2'))], published: [], scheduled: [] }, watch)
  assert.ok(tracer.spans.every(({ traceparent }) => isSampled(traceparent)))
  assert.equal(tracer.spans.length, 2)
})

test('an event that is parked has a failed span, and another when it is handled at last', () => {
  const tracer = recording()
  const batch = { group, rows: [row(asked('1'))], published: [], scheduled: [] }
  traceBatch(tracer, batch, watch, 'parked')
  traceBatch(tracer, batch, watch)
  const [failed, handled] = tracer.spans.filter(({ kind }) => kind === 'handle')
  assert.deepEqual([failed?.error, handled?.error], ['parked', undefined])
  assert.notEqual(failed?.traceparent, handled?.traceparent)
})

test('only an event that goes on with another trace has a span of the door’s own', () => {
  const tracer = recording()
  const earlier = traceparentOf('c'.repeat(32), 'd'.repeat(16), true)
  const { traceparent } = asked('1')
  traceAccepted(tracer, [asked('1'), asked('2', { follows: earlier, cameIn: traceparent })], watch)
  assert.deepEqual(
    tracer.spans.map(({ kind, parentId, links }) => ({ kind, parentId, links })),
    [{ kind: 'accept', parentId: 'd'.repeat(16), links: [traceparent] }],
  )
})

test('of keys only a payment’s id is told', () => {
  const tracer = recording()
  const rows = ['pay_1', 'cus_1', 'ada@example.com'].map((key) => row(asked('1', { key })))
  traceBatch(tracer, { group, rows, published: [], scheduled: [] }, watch)
  assert.deepEqual(
    tracer.spans.flatMap(({ attributes }) => attributes['millrace.payment'] ?? []),
    ['pay_1'],
  )
  assert.doesNotMatch(JSON.stringify(tracer.spans), /cus_|ada/)
})
