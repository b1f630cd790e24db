import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { acquireServer } from '#harness/database'
import { runSeeds } from './run.ts'
import { freshSeeds } from './seeds.ts'

const root = join(import.meta.dirname, '../..')

test('two hundred schedules on fresh seeds find nothing', async (t) => {
  const totals = await runSeeds(root, await acquireServer(), freshSeeds(200))
  const failures = totals.failed.map(({ seed, failure }) => `seed=${seed} npm run simulate -- ${seed}\n${failure}`)
  assert.deepEqual(failures, [])
  assert.ok(totals.faultsMin >= 3, `${totals.faultsMin} faults in a schedule`)
  assert.ok(totals.statementsMin >= 500, `${totals.statementsMin} statements in a schedule`)
  t.diagnostic(`${totals.statements} statements, ${totals.lockWaits} lock waits, ${totals.faults} faults`)
})
