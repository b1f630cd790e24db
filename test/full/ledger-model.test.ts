import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDatabase } from '#harness/database'
import { huntAll } from '../ledger-model/hunt.ts'
import { mutants } from '../ledger-model/mutants.ts'
import { runLedgerModel } from '../ledger-model/run.ts'

const OPERATIONS = 100_000
/** Answers without which a run has tried too little. */
const CODES = [
  'done',
  'repeated',
  'insufficient_funds',
  'ceiling_exceeded',
  'condition_failed',
  'account_closed',
  'account_unknown',
  'currency_mismatch',
  'unbalanced',
  'period_closed',
  'id_reused',
  'entry_not_found',
  'entry_reversed',
  'hold_not_found',
  'hold_ended',
  'hold_exceeded',
  'linked_refused',
  'limit_invalid',
  'period_invalid',
]

test('100,000 operations of concurrent clients at two platforms are what the model says', async (t) => {
  const { url } = await createDatabase(t)
  const seed = process.env.MILLRACE_LEDGER_SEED ?? randomBytes(4).toString('hex')
  const load = { seed, operations: OPERATIONS, clients: 64, bulkMax: 200 }
  const report = await runLedgerModel(t, { ...load, databaseUrl: url, platforms: 2, rounds: 10 })
  for (const line of report.lines) t.diagnostic(line)
  assert.deepEqual(report.wrong.slice(0, 10), [], `seed=${seed}`)
  assert.ok(report.operations >= OPERATIONS)
  // What took longer than a transaction may, on a machine that has much else to do.
  assert.ok((report.answers.get('database_unavailable') ?? 0) <= OPERATIONS / 10_000)
  assert.deepEqual(
    CODES.filter((code) => !report.answers.has(code)),
    [],
  )
})

test('every planted bug is found by the model, or by the checker of histories and by its name', async (t) => {
  const missed = await huntAll(join(import.meta.dirname, '../..'), mutants, (line) => t.diagnostic(line))
  assert.deepEqual(missed, [])
})
