import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createDatabase } from '#harness/database'
import { runLedgerModel } from './run.ts'

test('500 operations of concurrent clients at two platforms are what the model says', async (t) => {
  const { url } = await createDatabase(t)
  const seed = process.env.MILLRACE_LEDGER_SEED ?? randomBytes(4).toString('hex')
  const load = { seed, operations: 500, clients: 16, bulkMax: 60 }
  const { wrong, lines, operations } = await runLedgerModel(t, { ...load, databaseUrl: url, platforms: 2, rounds: 5 })
  for (const line of lines) t.diagnostic(line)
  assert.deepEqual(wrong.slice(0, 10), [], `seed=${seed}`)
  assert.ok(operations >= 500)
})
