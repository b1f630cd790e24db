import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { differencesOf, openToy } from '#harness/notes'

// A projection rebuilt beside the live one is the same row by row, whatever goes on meanwhile. Played at random: arrivals,
// batches, poison and its retries, rows gone wrong, rebuilds that go on, are compared, swapped, and die.

test('whatever goes on meanwhile, a rebuild is the same row by row, and a swap puts right what was wrong', async (t) => {
  const toy = await openToy(t)
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 8, maxLength: 24 }), async (deeds) => {
      const replay = await toy.replay()
      let isWrong = false
      let rebuilt = replay
      for (const one of deeds) {
        switch (one.do) {
          case 'arrive':
            await toy.arrive(one.key, one.isPoison)
            break
          case 'turn':
            await toy.turn(one.batch)
            break
          case 'cure':
            await toy.cure()
            break
          case 'spoil':
            isWrong = (await toy.spoil(one.how, one.key)) || isWrong
            break
          case 'rebuild':
            await rebuilt.open.catchUp()
            break
          case 'compare': {
            const found = await differencesOf(rebuilt.open)
            assert.equal(found.length > 0, isWrong, JSON.stringify(found))
            break
          }
          case 'swap':
            await rebuilt.open.swap('os:ada')
            isWrong = false
            break
          case 'die':
            await rebuilt.close()
            rebuilt = await toy.replay()
        }
      }
      await toy.cure()
      await rebuilt.open.swap('os:ada')
      await toy.turn(50)
      assert.deepEqual(await differencesOf(rebuilt.open), [])
      assert.deepEqual(await toy.notes(), toy.expected())
      await rebuilt.close()
    }),
    { numRuns: 20 },
  )
})

type Deed =
  | { do: 'arrive'; key: string; isPoison: boolean }
  | { do: 'turn'; batch: number }
  | { do: 'spoil'; how: 'change' | 'remove' | 'add'; key: string }
  | { do: 'cure' | 'rebuild' | 'compare' | 'swap' | 'die' }

const key = fc.constantFrom('ada', 'bob', 'cyd')
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('arrive' as const), key, isPoison: fc.nat(2).map((n) => n === 0) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const), batch: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('cure' as const, 'rebuild', 'compare') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('swap' as const, 'die') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('spoil' as const), how: fc.constantFrom('change', 'remove', 'add'), key }),
  },
)

test('what was parked when a rebuild passed it is folded once it was retried, in the order of its key', async (t) => {
  const toy = await openToy(t)
  const { open, close } = await toy.replay()
  await toy.arrive('ada', false)
  await toy.arrive('ada', true)
  await toy.arrive('ada', false)
  await toy.arrive('bob', false)
  await toy.turn(10)
  await open.catchUp()
  assert.deepEqual([await toy.notes(), await differencesOf(open)], [{ ada: '1', bob: '4' }, []])
  await toy.cure()
  await toy.arrive('ada', false)
  await toy.turn(10)
  assert.deepEqual([await toy.notes(), await differencesOf(open)], [{ ada: '1 2 3 5', bob: '4' }, []])
  await close()
})
