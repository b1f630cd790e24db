import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beginOf, dayOf, isDay } from './day.ts'

test('a day begins at midnight UTC and ends before the next', () => {
  const begin = beginOf('2028-02-29')
  assert.deepEqual(
    [dayOf(begin - 1), dayOf(begin), dayOf(begin + 86_399_999)],
    ['2028-02-28', '2028-02-29', '2028-02-29'],
  )
})

test('only days of the calendar are days', () => {
  assert.deepEqual(['2026-11-21', '2028-02-29', '0001-01-01'].map(isDay), [true, true, true])
  const none = [
    '2026-02-30',
    '2027-02-29',
    '2026-13-01',
    '2026-00-10',
    '26-01-01',
    '2026-1-1',
    '0000-01-01',
    '2026-01-01T00:00:00Z',
    '',
  ]
  assert.deepEqual(none.filter(isDay), [])
})
