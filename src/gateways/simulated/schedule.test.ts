import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { handClock } from '#harness/simulated-gateway'
import { createSchedule } from './schedule.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('things happen in the order in which they are due, and of one instant in the order in which they came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (delays) => {
      const { clock, pass } = handClock(0)
      const schedule = createSchedule(clock)
      const done: [dueMs: number, place: number][] = []
      for (const [place, delay] of delays.entries()) schedule.at(delay, () => void done.push([delay, place]))
      pass(20)
      schedule.runDue()
      const expected = delays.map((delay, place): [number, number] => [delay, place])
      assert.deepEqual(
        done,
        expected.sort(([one, first], [other, second]) => one - other || first - second),
      )
      assert.equal(schedule.nextMs(), undefined)
    }),
  )
})

test('what is due sooner than all that waits is not waited past', async () => {
  const { clock, pass } = handClock(0)
  const schedule = createSchedule(clock)
  const done: string[] = []
  schedule.at(1000, () => void done.push('late'))
  await turn()
  schedule.at(10, () => void done.push('soon'))
  await turn()
  pass(10)
  await turn()
  assert.deepEqual([done, schedule.waiting()], [['soon'], 1])
  await schedule.stop()
  assert.deepEqual([schedule.waiting(), schedule.at(1, () => {})], [0, false])
})

test('what is far away is waited for in parts: no timer can be set for a month', async () => {
  const { clock, pass } = handClock(0)
  const waits: number[] = []
  const schedule = createSchedule({
    ...clock,
    sleep(ms, signal) {
      waits.push(ms)
      return clock.sleep(ms, signal)
    },
  })
  const done: string[] = []
  schedule.at(90 * 60 * 1000, () => void done.push('then'))
  for (let hour = 0; hour < 2; hour += 1) {
    await turn()
    pass(60 * 60 * 1000)
  }
  await turn()
  assert.deepEqual([done, waits], [['then'], [60 * 60 * 1000, 30 * 60 * 1000]])
})
