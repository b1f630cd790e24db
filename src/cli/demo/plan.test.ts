import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '#kernel/random'
import { planRequests } from './plan.ts'

test('the same seed is the same day, and another seed another', () => {
  const plan = planRequests(seededRandom(7), 200)
  assert.deepEqual(planRequests(seededRandom(7), 200), plan)
  assert.notDeepEqual(planRequests(seededRandom(8), 200), plan)
})

test('a storm is one stretch, in which the gateway charges some and not others, and never holds every call there may be', () => {
  for (const [count, size] of [
    [1, 1],
    [100, 5],
    [500, 24],
    [10_000, 24],
  ] as const) {
    const fates = planRequests(seededRandom(1), count).map(({ fate }) => fate === 'time_out')
    assert.equal(fates.filter(Boolean).length, size, `of ${count}`)
    assert.equal(fates.lastIndexOf(true) - fates.indexOf(true), size - 1, `of ${count}`)
  }
  const methods = new Set(
    planRequests(seededRandom(1), 500).flatMap(({ fate, body }) => (fate === 'time_out' ? [body.payment_method] : [])),
  )
  assert.deepEqual([...methods].sort(), ['pm_sim_timeout_after_charge', 'pm_sim_timeout_before_charge'])
})

test('a day of five hundred has everything in it that can be done with a payment', () => {
  const plan = planRequests(seededRandom(1), 500)
  const later = new Set(plan.map((planned) => planned.later))
  assert.equal(later.size, 18)
  for (const { fate, later: what } of plan) if (what !== undefined) assert.ok(fate === 'approve' || fate === 'hold')
})
