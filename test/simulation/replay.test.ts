import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { acquireServer } from '#harness/database'
import { openWorker } from './pool.ts'
import { VACUUM_EVERY } from './store.ts'

const root = join(import.meta.dirname, '../..')

test('a seed goes the same way every time, whatever ran before it', async () => {
  const server = await acquireServer()
  const [one, other] = [await openWorker(root, server, 'replay_one'), await openWorker(root, server, 'replay_other')]
  try {
    // What it deleted has been vacuumed by then: neither that nor the order of its rows may make a difference.
    for (let n = 0; n <= VACUUM_EVERY; n++) await other.run(`something else ${n}`)
    for (const seed of ['a', 'b', 'c', 'd', 'e']) {
      const [first, second] = [await one.run(seed), await other.run(seed)]
      assert.equal(first.failure, undefined)
      assert.equal(second.digest, first.digest)
    }
  } finally {
    await Promise.all([one.close(), other.close()])
  }
})
