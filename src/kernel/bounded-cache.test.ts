import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBoundedCache } from './bounded-cache.ts'

test('a value is found until it is as old as the limit, counted from when it was true', () => {
  const { cache, pass } = create(10)
  cache.set('a', 1, 0)
  pass(99)
  assert.equal(cache.get('a'), 1)
  cache.set('b', 2, 50)
  pass(1)
  assert.equal(cache.get('a'), undefined)
  pass(50)
  assert.equal(cache.get('b'), undefined)
})

test('what is used stays, what is not goes when there is no room', () => {
  const { cache } = create(10)
  cache.set('used', 0, 0)
  cache.set('unused', 0, 0)
  for (let index = 0; index < 100; index += 1) {
    cache.set(`other ${index}`, index, 0)
    assert.equal(cache.get('used'), 0)
  }
  assert.equal(cache.get('unused'), undefined)
})

test('a cache never gives another value than the last one set, nor one that was deleted', () => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), value: fc.option(fc.nat()) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { cache } = create(4)
      const truth = new Map<string, number>()
      for (const { name, value } of steps) {
        if (value === null) {
          cache.delete(name)
          truth.delete(name)
        } else {
          cache.set(name, value, 0)
          truth.set(name, value)
        }
        for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
          const found = cache.get(key)
          if (found !== undefined) assert.equal(found, truth.get(key))
        }
        if (value !== null) assert.equal(cache.get(name), value)
      }
    }),
  )
})

function create(entriesMax: number) {
  let nowMs = 0
  const clock = { now: () => 0, monotonicMs: () => nowMs, sleep: async () => {} }
  return {
    cache: createBoundedCache<number>(clock, { entriesMax, ageMaxMs: 100 }),
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}
