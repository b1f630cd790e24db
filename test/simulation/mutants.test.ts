import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { acquireServer } from '#harness/database'
import { huntAll } from './hunt.ts'
import { mutants } from './mutants.ts'

const root = join(import.meta.dirname, '../..')

test('every planted bug is found from seeds that nobody has seen before', async (t) => {
  const missed = await huntAll(root, await acquireServer(), mutants, (line) => t.diagnostic(line))
  assert.deepEqual(missed, [])
})
