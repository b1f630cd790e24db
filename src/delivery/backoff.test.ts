import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '#kernel/random'
import { backoffMs } from './backoff.ts'

test('the pause doubles from half a second to an hour, half of it left to chance', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (attempts, seed) => {
      const full = Math.min(3_600_000, 500 * 2 ** (attempts - 1))
      const pause = backoffMs(attempts, seededRandom(seed))
      assert.ok(pause >= full / 2 && pause <= full)
    }),
  )
})

test('the same seed gives the same pauses', () => {
  const pauses = (seed: number): number[] => {
    const random = seededRandom(seed)
    return [1, 2, 3, 4].map((attempts) => backoffMs(attempts, random))
  }
  assert.deepEqual(pauses(1), pauses(1))
  assert.notDeepEqual(pauses(1), pauses(2))
})
