import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCursors } from './http-cursor.ts'
import { masterKeyOf } from './master-key.ts'

const cursors = createCursors(masterKeyOf(Buffer.alloc(32, 1)))
const others = createCursors(masterKeyOf(Buffer.alloc(32, 2)))
const place = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes))
const refused = { code: 'cursor_invalid', field: 'cursor' }

test('a cursor is read back in the scope it was written for, and is always the same text', () => {
  fc.assert(
    fc.property(fc.string(), place, (scope, bytes) => {
      const cursor = cursors.write(scope, bytes)
      assert.match(cursor, /^[\w-]+$/)
      assert.deepEqual(cursors.read(scope, cursor, 'cursor'), bytes)
      assert.equal(cursors.write(scope, bytes), cursor)
    }),
  )
})

test('a cursor of another scope, or of another installation, is refused', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), place, (one, other, bytes) => {
      fc.pre(one !== other)
      assert.throws(() => cursors.read(other, cursors.write(one, bytes), 'cursor'), refused)
      assert.throws(() => others.read(one, cursors.write(one, bytes), 'cursor'), refused)
    }),
  )
})

test('scope and place cannot be shifted into each other', () => {
  const cursor = cursors.write('events/a', Buffer.from('b/c'))
  assert.throws(() => cursors.read('events/ab', cursor, 'cursor'), refused)
})

test('no change of a cursor goes unnoticed, nor any text that never was one', () => {
  fc.assert(
    fc.property(place, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (bytes, at, character) => {
      const cursor = cursors.write('list', bytes)
      const changed = `${cursor.slice(0, at % cursor.length)}${character}${cursor.slice((at % cursor.length) + 1)}`
      fc.pre(changed !== cursor)
      assert.throws(() => cursors.read('list', changed, 'cursor'), refused)
      for (const text of [`${cursor}A`, `${cursor}=`, ` ${cursor}`, cursor.slice(1), cursor.slice(0, -1)]) {
        assert.throws(() => cursors.read('list', text, 'cursor'), refused)
      }
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => assert.throws(() => cursors.read('list', text, 'cursor'), refused)))
})
