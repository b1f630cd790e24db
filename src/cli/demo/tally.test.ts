import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTally } from './tally.ts'

const message = (id: string, subject: string, data = {}): string => JSON.stringify({ id, subject, data })

test('a receiver sees for itself what it was not sent', () => {
  const tally = openTally()
  for (const sequence of [1, 2, 5]) tally.accepted(sequence, message(`evt_${sequence}`, 'pay_a'))
  assert.deepEqual(tally.missing(6), [3, 4, 6])
  assert.equal(tally.highest(), 5)
  tally.accepted(4, message('evt_4', 'pay_b'))
  assert.deepEqual(tally.missing(5), [3])
})

test('a repetition is counted apart, and one with other content apart from those', () => {
  const tally = openTally()
  tally.accepted(1, message('evt_1', 'pay_a'))
  tally.accepted(1, message('evt_1', 'pay_a'))
  tally.accepted(1, message('evt_1', 'pay_a', { delta: 1 }))
  const { different, repeated, changed } = tally.counts()
  assert.deepEqual({ different, repeated, changed }, { different: 1, repeated: 1, changed: 1 })
})

test('what is told of a payment stands in the order of first acceptance', () => {
  const tally = openTally()
  tally.accepted(2, message('evt_2', 'pay_a'))
  tally.accepted(3, message('evt_3', 'pay_b'))
  tally.accepted(1, message('evt_1', 'pay_a'))
  tally.accepted(2, message('evt_2', 'pay_a'))
  assert.deepEqual(
    [...tally.told()],
    [
      ['pay_a', ['evt_2', 'evt_1']],
      ['pay_b', ['evt_3']],
    ],
  )
})
