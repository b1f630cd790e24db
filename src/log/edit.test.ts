import assert from 'node:assert/strict'
import test from 'node:test'
import { applyEdit, type Edit } from './edit.ts'

const box = `s1.${'k'.repeat(26)}.${'A'.repeat(40)}`
const data = { amount: 100, currency: 'EUR', details: box, lines: [{ 'a/b': 1 }, { code: 'x' }], note: null }

const set = (path: string, value: unknown): Edit => ({ set: [{ path, value }] })
const apply = (edit: Edit) => applyEdit(data, edit, ['details', 'note'])

test('a field is set where it is, and what changed is told with its values', () => {
  const edited = apply({
    set: [
      { path: '/data/amount', value: 99 },
      { path: '/data/lines/0/a~1b', value: null },
      { path: '/data/lines/1/more', value: { deep: true } },
    ],
  })
  assert.deepEqual(edited, {
    status: 'edited',
    data: { ...data, amount: 99, lines: [{ 'a/b': null }, { code: 'x', more: { deep: true } }] },
    changes: [
      { path: '/data/amount', before: '100', after: '99' },
      { path: '/data/lines/0/a~1b', before: '1', after: 'null' },
      { path: '/data/lines/1/more', after: '{"deep":true}' },
    ],
  })
})

test('all of the data may come from a file, in which "sealed" stands for what is sealed', () => {
  const { note: _, ...rest } = data
  assert.deepEqual(applyEdit(data, { data: { ...rest, details: 'sealed', amount: 5 } }, ['details']), {
    status: 'edited',
    data: { ...rest, amount: 5 },
    changes: [
      { path: '/data/amount', before: '100', after: '5' },
      { path: '/data/note', before: 'null' },
    ],
  })
})

for (const [what, edit, why] of [
  ['a path outside the data', set('/key', 'x'), /must begin with \/data\//],
  ['the data itself', set('/data', {}), /must begin with \/data\//],
  ['a path that leads nowhere', set('/data/lines/2/code', 'x'), /the way to it ends before/],
  ['a field of a text', set('/data/currency/x', 'x'), /the way to it ends before/],
  ['an item after the last', set('/data/lines/2', {}), /the way to it ends before/],
  ['what is there already', set('/data/amount', 100), /changes nothing/],
  ['clear text for what is sealed', set('/data/details', 'Ada'), /\/data\/details is sealed/],
  ['a field declared sealed, though empty', set('/data/note', 'Ada'), /\/data\/note is sealed/],
  ['what is sealed, elsewhere', set('/data/currency', box), /\/data\/currency is sealed/],
  ['a sealed field left out', { data: { amount: 1 } }, /\/data\/details is sealed/],
  ['an address', set('/data/currency', 'ada@example.com'), /\/data\/currency looks like an address/],
  ['a card number', set('/data/currency', '4242 4242 4242 4242'), /\/data\/currency looks like an address or a card/],
  ['what is no object', { data: 7 }, /\/data is sealed|\/data/],
  [
    'a hundred fields and more',
    set(
      '/data/lines',
      Array.from({ length: 120 }, () => 1),
    ),
    /may change 100/,
  ],
] satisfies [string, Edit, RegExp][]) {
  test(`an edit is refused: ${what}`, () => {
    const outcome = apply(edit)
    assert.equal(outcome.status, 'refused')
    assert.match(outcome.status === 'refused' ? outcome.why : '', why)
  })
}

test('a field called __proto__ is a field like any other', () => {
  const edited = apply(set('/data/__proto__', { admin: true }))
  assert.equal(edited.status, 'edited')
  assert.equal(Object.hasOwn((edited.status === 'edited' ? edited.data : {}) as object, '__proto__'), true)
  assert.equal('admin' in {}, false)
})
