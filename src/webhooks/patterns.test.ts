import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matches, unknownPattern } from './patterns.ts'

test('a pattern is one type, or with a star all that begin so', () => {
  assert.equal(matches('payment.captured', 'payment.captured'), true)
  assert.equal(matches('payment.captured', 'payment.captured_again'), false)
  assert.equal(matches('payment.*', 'payment.captured'), true)
  assert.equal(matches('payment.*', 'payout.paid'), false)
  assert.equal(matches('*', 'payout.paid'), true)
})

test('a pattern that fits no type there is, is named', () => {
  const types = ['payment.captured', 'payout.paid']
  assert.equal(unknownPattern(['*', 'payment.*', 'payout.paid'], types), undefined)
  assert.equal(unknownPattern(['payment.*', 'payment.captrued'], types), 'payment.captrued')
})
