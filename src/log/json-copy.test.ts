import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonCopy } from './json-copy.ts'

const written = (value: unknown): string => JSON.stringify(value) ?? 'null'
const copyOf = (value: unknown): unknown => jsonCopy(value, () => written(value))

test('a copy is what parsing what was written gives, whatever it is of', () => {
  const anything = fc.anything({ withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true })
  fc.assert(fc.property(anything, (value) => assert.deepStrictEqual(copyOf(value), JSON.parse(written(value)))))
})

test('what JSON leaves out, writes otherwise or asks for is as JSON has it', () => {
  const odd = [
    { a: undefined, b: [undefined, () => 1, Symbol('s')], c: -0, d: Number.NaN },
    { at: new Date(0), nested: { toJSON: () => 'told' } },
    JSON.parse('{"__proto__": {"a": 1}, "constructor": "b"}'),
    Object.create({ inherited: 1 }),
    Object.assign([1, 2], { toJSON: () => 'list' }),
  ]
  for (const value of odd) assert.deepStrictEqual(copyOf(value), JSON.parse(written(value)))
})

test('what changes later in the value does not change in its copy', () => {
  const value = { list: [{ n: 1 }], deep: { text: 'a' } }
  const copied = copyOf(value)
  value.list[0] = { n: 2 }
  value.deep.text = 'b'
  assert.deepEqual(copied, { list: [{ n: 1 }], deep: { text: 'a' } })
})
