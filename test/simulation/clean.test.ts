import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { acquireServer } from '#harness/database'
import { runSeeds } from './run.ts'

const root = join(import.meta.dirname, '../..')

// Always the same seeds: what fails here is of the change at hand. `npm run simulate -- --seeds N` looks where nobody has.
const seeds = Array.from({ length: 200 }, (_, n) => `clean-${n}`)

test('two hundred schedules find nothing', async (t) => {
  const totals = await runSeeds(root, await acquireServer(), seeds)
  const failures = totals.failed.map(({ seed, failure }) => `seed=${seed} npm run simulate -- ${seed}\n${failure}`)
  assert.deepEqual(failures, [])
  assert.ok(totals.faultsMin >= 3, `${totals.faultsMin} faults in a schedule`)
  assert.ok(totals.statementsMin >= 500, `${totals.statementsMin} statements in a schedule`)
  t.diagnostic(`${totals.statements} statements, ${totals.lockWaits} lock waits, ${totals.faults} faults`)
})
