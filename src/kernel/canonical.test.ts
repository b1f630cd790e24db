import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, type Json } from './canonical.ts'
import { InvariantViolation } from './invariant.ts'

const json = fc.jsonValue({ stringUnit: 'grapheme' })

test('the canonical text is JSON of the same value', () => {
  fc.assert(
    fc.property(json, (value) =>
      assert.deepEqual(parse(canonicalJson(parse(JSON.stringify(value)))), parse(JSON.stringify(value))),
    ),
  )
})

test('the order of members does not matter, the order of elements does', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), json), (value) => {
      const members = Object.entries(parse(JSON.stringify(value)) ?? {})
      assert.equal(canonicalJson(Object.fromEntries(members.toReversed())), canonicalJson(Object.fromEntries(members)))
    }),
  )
  assert.notEqual(canonicalJson([1, 2]), canonicalJson([2, 1]))
})

const examples: [Json, string][] = [
  // The example of RFC 8785, section 3.2.2.
  [
    {
      numbers: [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 1e-27],
      string: '€$\u000f\nA\'B"\\\\"/',
      literals: [null, true, false],
    },
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  ],
  // Section 3.2.3: by UTF-16 code units, so that an emoji comes before U+FB33.
  [
    { '€': 1, '\r': 2, '\ufb33': 3, '1': 4, '😀': 5, '\u0080': 6, ö: 7 },
    '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
  ],
  [{ b: undefined, a: -0 }, '{"a":0}'],
  [{ 10: 1, 9: 2 }, '{"10":1,"9":2}'],
]

for (const [value, text] of examples) {
  test(`${text} is canonical`, () => {
    assert.equal(canonicalJson(value), text)
  })
}

test('what has no canonical text is a bug', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\udfff': 1 }, [[{ a: '\ud800' }]]]) {
    assert.throws(() => canonicalJson(value), InvariantViolation)
  }
})

function parse(text: string): Json {
  const value: Json = JSON.parse(text)
  return value
}
