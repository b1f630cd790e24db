import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { traceIdOf } from './http-trace.ts'
import { childOf, isSampled, spanIdOf, traceparentOf, withSpanId } from './tracing.ts'

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
const wellFormed = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

test('a traceparent is taken apart into what it was put together from', () => {
  fc.assert(
    fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
      const traceparent = traceparentOf(traceId, spanId, sampled)
      assert.match(traceparent, wellFormed)
      assert.deepEqual(
        [traceIdOf(traceparent), spanIdOf(traceparent), isSampled(traceparent)],
        [traceId, spanId, sampled],
      )
    }),
  )
})

test('a child keeps trace and flags, and is another for another parent or name', () => {
  fc.assert(
    fc.property(hex(32), hex(16), hex(16), (traceId, one, other) => {
      fc.pre(one !== other)
      const parent = traceparentOf(traceId, one, true)
      const child = childOf(parent, 'group')
      assert.match(child, wellFormed)
      assert.equal(withSpanId(child, one), parent)
      assert.equal(childOf(parent, 'group'), child)
      const others = [parent, childOf(parent, 'another'), childOf(withSpanId(parent, other), 'group')]
      assert.equal(new Set([child, ...others].map(spanIdOf)).size, 4)
    }),
  )
})

test('only the lowest bit of the flags says that a trace is recorded', () => {
  const marked = ['00', '01', '02', '03', 'fe', 'ff'].map((flags) =>
    isSampled(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`),
  )
  assert.deepEqual(marked, [false, true, false, true, false, true])
})
