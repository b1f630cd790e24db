import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { arrayLiteral } from '#kernel/array-literal'
import { instant, texts } from './exported.ts'

const row = (cell: string | null) => ({ file: 'f', line: 1, cells: { cell } })

test('a list that PostgreSQL writes is read as it was', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'ab,"{} \\\nü') })), (items) => {
      assert.deepEqual(texts(row(arrayLiteral(items)), 'cell'), items)
    }),
  )
  assert.deepEqual(texts(row('{cash,"a b",-12}'), 'cell'), ['cash', 'a b', '-12'])
  for (const wrong of ['', 'a', '{a', '{a,}b}', '{"a}', '{a}{b}', '{,}', '{a,}']) {
    assert.throws(() => texts(row(wrong), 'cell'), /its cell is no list/, wrong)
  }
})

test('a time is read to the millisecond, and nothing else is taken for one', () => {
  assert.equal(instant(row('2026-11-21 21:48:47.123999+00'), 'cell'), Date.UTC(2026, 10, 21, 21, 48, 47, 123))
  assert.equal(instant(row('2026-11-21 21:48:47.5+00'), 'cell'), Date.UTC(2026, 10, 21, 21, 48, 47, 500))
  assert.equal(instant(row('2026-11-21 21:48:47+00'), 'cell'), Date.UTC(2026, 10, 21, 21, 48, 47))
  for (const wrong of [
    '',
    '2026-11-21',
    '2026-11-21 21:48:47+01',
    '2026-13-21 21:48:47+00',
    '2026-11-21 21>48:47+00',
  ]) {
    assert.throws(() => instant(row(wrong), 'cell'), /its cell is no time/, wrong)
  }
  assert.throws(() => instant(row(null), 'cell'), /it has no cell/)
})
