import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Client } from 'pg'
import { acquireServer } from '#harness/database'
import { arrayLiteral, arrayParameter, isFlat } from './array-literal.ts'

test('PostgreSQL reads any texts, nulls among them, as they were written', async () => {
  const client = new Client({ connectionString: await acquireServer() })
  await client.connect()
  const item = fc.option(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('NULL', '', '"', '\\', '{}', 'a,b', ' x ')),
  )
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(item), async (items) => {
        const storable = items.map((text) => text?.replaceAll('\0', '') ?? null)
        const { rows } = await client.query('select $1::text[] as items', [arrayLiteral(storable)])
        assert.deepEqual(rows[0].items, storable)
        const sent = await client.query('select $1::text[] as items', [arrayParameter(storable)])
        assert.deepEqual(sent.rows[0].items, storable)
      }),
    )
  } finally {
    await client.end()
  }
})

test('numbers and truth values are written as PostgreSQL reads them', () => {
  assert.equal(arrayLiteral([1, 2n ** 60n]), '{"1","1152921504606846976"}')
  assert.equal(arrayLiteral([true, null]), '{true,NULL}')
})

test('an array of arrays or dates is left to the driver', () => {
  assert.equal(isFlat([1, 'a', null]), true)
  assert.equal(isFlat([['a']]), false)
  assert.equal(isFlat([new Date(0)]), false)
})
