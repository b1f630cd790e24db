import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FetchFailure } from '#kernel/fetch'
import { retryAfterMs, verdictOf } from './answer.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const verdict = (status: number, headers: Record<string, string> = {}) => verdictOf({ status, headers, body: '' }, NOW)

test('a 2xx is taken, 410 is for good, and all else is to be tried again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 599 }), (status) => {
      const expected = status < 300 ? 'taken' : status === 410 ? 'gone' : 'failed'
      assert.equal(verdict(status).kind, expected)
    }),
  )
  assert.equal(verdict(307).reason, 'redirect')
  assert.equal(verdictOf(new FetchFailure('after_send', 'timeout'), NOW).reason, 'timeout')
})

test('Retry-After is seconds or a date, at most a day, and anything else says nothing', () => {
  const rows: [text: string | undefined, ms: number][] = [
    [undefined, 0],
    ['120', 120_000],
    ['Sat, 21 Nov 2026 12:02:00 GMT', 120_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', 0],
    ['-5', 0],
  ]
  for (const [text, ms] of rows) assert.equal(retryAfterMs(text, NOW), ms, String(text))
})
