import assert from 'node:assert/strict'
import test from 'node:test'
import type { Clock } from '#kernel/clock'
import { createLinger, DECIDER_LINGER_MS } from './linger.ts'

/** Time that passes only when told. */
function handClock(): Clock & { pass(ms: number): void } {
  let time = 0
  return {
    now: () => time,
    monotonicMs: () => time,
    sleep: async () => {},
    pass: (ms) => {
      time += ms
    },
  }
}

/** What the pause is after some seconds at a steady rate. */
function lingerAt(ratePerSecond: number): number {
  const clock = handClock()
  const linger = createLinger(clock, DECIDER_LINGER_MS)
  for (let turn = 0; turn < 100; turn++) {
    clock.pass(100)
    linger.handled(ratePerSecond / 10)
  }
  return linger.ms(false)
}

test('an idle log does not linger', () => {
  assert.equal(createLinger(handClock(), DECIDER_LINGER_MS).ms(false), 0)
  assert.equal(lingerAt(100), 0)
})

test('the pause grows with the rate, up to a limit', () => {
  const pauses = [300, 600, 900, 3_000, 30_000].map(lingerAt)
  assert.deepEqual(
    pauses,
    pauses.toSorted((a, b) => a - b),
  )
  assert.ok((pauses[0] ?? 0) > 0 && Math.max(...pauses) <= 8)
})

test('a full batch does not wait for company', () => {
  const clock = handClock()
  const linger = createLinger(clock, DECIDER_LINGER_MS)
  clock.pass(100)
  linger.handled(1_000)
  assert.equal(linger.ms(true), 0)
})
