import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createDatabase } from '#harness/database'
import { runHistory } from '../ledger-model/history/run.ts'

test('a long history of two platforms on one database has no lost update, no write skew and no stale read', async (t) => {
  const { url } = await createDatabase(t)
  const seed = process.env.MILLRACE_LEDGER_SEED ?? randomBytes(4).toString('hex')
  const { anomalies, line } = await runHistory(t, { databaseUrl: url, seed, operations: 6_000 })
  t.diagnostic(line)
  assert.deepEqual(anomalies.slice(0, 10), [], `seed=${seed}`)
})
