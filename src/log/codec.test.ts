import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Type } from 'typebox'
import { brandId } from '#kernel/ids'
import { decode, EVENT_BYTES_MAX, EventInvalid, encode } from './codec.ts'
import { eventType, type NewEvent } from './event.ts'
import { unstorablePath } from './storable.ts'

const Inner = Type.Object({ code: Type.String({ maxLength: 8 }) })
const noted = eventType({
  type: 'toy.noted',
  topic: 'toy',
  schema: Type.Object({ n: Type.Integer(), inner: Type.Optional(Inner), list: Type.Optional(Type.Array(Inner)) }),
})

const event = (data: unknown, about: Partial<NewEvent> = {}): NewEvent => ({
  id: 'evt_1',
  of: noted,
  key: 'key',
  tenant: brandId('tenant_a'),
  mode: 'test',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  causationId: null,
  correlationId: 'evt_1',
  data,
  ...about,
})

const row = (data: unknown, version = 1) => ({
  topic: 'toy',
  partition: 0,
  offset: 7n,
  key: 'key',
  type: 'toy.noted',
  version,
  id: 'evt_1',
  time: new Date(1_700_000_000_123),
  tenant: 'tenant_a',
  mode: 'test',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  causation_id: null,
  correlation_id: 'evt_1',
  data,
  is_parked: false,
})

const refusals: readonly (readonly [string, unknown, RegExp])[] = [
  ['a missing field', {}, /^toy\.noted: \/ must have required properties n$/],
  ['a wrong type', { n: 'secret' }, /^toy\.noted: \/n must be integer$/],
  ['a fraction', { n: 1.5 }, /^toy\.noted: \/n /],
  ['a nested field', { n: 1, inner: { code: 'secret secret' } }, /^toy\.noted: \/inner\/code /],
  ['an undeclared field', { n: 1, other: 'secret' }, /^toy\.noted: \/other /],
  ['an undeclared field within', { n: 1, list: [{ code: 'a', other: 'secret' }] }, /^toy\.noted: \/list\/0\/other /],
  ['a NUL', { n: 1, inner: { code: '\0' } }, /^toy\.noted: \/data\/inner\/code holds/],
]

for (const [what, data, message] of refusals) {
  test(`publishing ${what} is refused by the name of the field, never by its value`, () => {
    assert.throws(
      () => encode(event(data)),
      (error) => error instanceof EventInvalid && message.test(error.message) && !error.message.includes('secret'),
    )
  })
}

test('the size of an event counts bytes, not characters', () => {
  const open = eventType({ type: 'toy.long', topic: 'toy', schema: Type.Object({ text: Type.String() }) })
  const text = '€'.repeat(EVENT_BYTES_MAX / 3)
  assert.throws(() => encode(event({ text }, { of: open })), EventInvalid)
  assert.doesNotThrow(() => encode(event({ text: text.slice(200) }, { of: open })))
})

test('a field that the reader does not know is ignored, at any depth, though the schema forbids it', () => {
  const closed = eventType({
    type: 'toy.noted',
    topic: 'toy',
    schema: Type.Object({ n: Type.Integer(), inner: Inner }, { additionalProperties: false }),
  })
  const data = { n: 1, later: true, inner: { code: 'a', later: true } }
  assert.deepEqual(decode(row(data), closed).data, data)
})

test('older data is lifted step by step to the version that the code knows', () => {
  const third = eventType({
    type: 'toy.noted',
    topic: 'toy',
    schema: Type.Object({ steps: Type.Array(Type.Integer()) }),
    upcasters: [
      ({ n }: { n: number }) => ({ steps: [n, 2] }),
      ({ steps }: { steps: number[] }) => ({ steps: [...steps, 3] }),
    ],
  })
  assert.deepEqual(decode(row({ n: 1 }, 1), third).data, { steps: [1, 2, 3] })
  assert.deepEqual(decode(row({ steps: [1, 2] }, 2), third).data, { steps: [1, 2, 3] })
  assert.deepEqual(decode(row({ steps: [9] }, 3), third).data, { steps: [9] })
})

test('data that does not fit is poison to the reader, and named by field', () => {
  assert.throws(() => decode(row({ n: 'secret' }), noted), /^EventInvalid: toy\.noted evt_1: \/n must be integer$/)
})

test('a text is refused exactly when it has a NUL or half a surrogate pair, whatever else is escaped', () => {
  const unit = fc.constantFrom('\0', '\ud800', '\udc00', '\\', '"', 'u0000', 'ud800', '\u0001', 'a', '😀')
  fc.assert(
    fc.property(fc.array(unit), (units) => {
      const value = { text: units.join('') }
      const isGood = value.text.isWellFormed() && !value.text.includes('\0')
      assert.equal(unstorablePath(JSON.stringify(value), value) === undefined, isGood)
    }),
  )
})
