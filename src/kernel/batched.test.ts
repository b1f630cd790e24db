import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batched } from './batched.ts'

test('what is asked while a batch is under way makes the next one, and everybody gets the answer to their own', async () => {
  const batches: number[][] = []
  const double = batched(3, async (numbers: readonly number[]) => {
    batches.push([...numbers])
    return numbers.map((number) => number * 2)
  })
  const answers = await Promise.all([1, 2, 3, 4].map(double))
  assert.deepEqual(answers, [2, 4, 6, 8])
  assert.deepEqual(batches, [[1, 2, 3], [4]])
  assert.equal(await double(5), 10)
})

test('a batch that fails fails those who were in it, and no other', async () => {
  let calls = 0
  const ask = batched(2, async (items: readonly string[]) => {
    calls += 1
    if (calls === 1) throw new Error('away')
    return items
  })
  const outcomes = await Promise.allSettled(['a', 'b', 'c'].map(ask))
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  )
})

test('a batch weighs no more than it may, and what is heavier than that goes alone', async () => {
  const batches: number[][] = []
  const ask = batched(
    10,
    async (weights: readonly number[]) => {
      batches.push([...weights])
      return weights
    },
    (weight) => weight,
  )
  await Promise.all([4, 6, 1, 25, 3, 3].map(ask))
  assert.deepEqual(batches, [[4, 6], [1], [25], [3, 3]])
})
