import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from '#harness/database'
import { statement } from './database.ts'
import { openDatabase } from './postgres-database.ts'

const SLEEP = statement('test.sleep', 'select pg_sleep(0.4)')

test('a transaction takes as long as was declared for it, and no longer than the session’s limit otherwise', async (t) => {
  const { url } = await createDatabase(t)
  const settings = { connectionsMax: 1, applicationName: 'test', session: { transaction_timeout: '200' } }
  const database = openDatabase({ url, ...settings })
  t.after(() => database.close())
  await assert.rejects(
    database.transaction({}, (tx) => tx.query(SLEEP)),
    /transaction timeout/,
  )
  await database.transaction({ timeoutMs: 0 }, (tx) => tx.query(SLEEP))
  await database.transaction({ timeoutMs: 5_000 }, (tx) => tx.query(SLEEP))
  await assert.rejects(
    database.transaction({ timeoutMs: 100 }, (tx) => tx.query(SLEEP)),
    /transaction timeout/,
  )
  await assert.rejects(
    database.transaction({}, (tx) => tx.query(SLEEP)),
    /transaction timeout/,
  )
})
