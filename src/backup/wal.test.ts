import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { forksIn, historyName, positionOf, segmentName, segmentOf, textOf } from './wal.ts'

const segmentBytes = 16n * 1024n * 1024n

test('positions and segments are named as PostgreSQL names them', () => {
  assert.equal(positionOf('16/B374D848'), 0x16_b374_d848n)
  assert.equal(textOf(0x16_b374_d848n), '16/B374D848')
  const number = positionOf('16/B374D848') / segmentBytes
  assert.equal(segmentName({ timeline: 1, number }, segmentBytes), '0000000100000016000000B3')
  assert.equal(historyName(26), '0000001A.history')
})

test('a name gives back what it names, for every size of segment', () => {
  const sizes = fc.integer({ min: 20, max: 30 }).map((power) => 1n << BigInt(power))
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 60n }),
      fc.integer({ min: 1, max: 0xffff }),
      sizes,
      (at, timeline, size) => {
        assert.equal(positionOf(textOf(at)), at)
        const segment = { timeline, number: at / size }
        assert.deepEqual(segmentOf(segmentName(segment, size), size), segment)
      },
    ),
  )
})

test('what is not a segment has no number', () => {
  for (const name of ['00000002.history', '000000010000000000000001.00000028.backup', 'archive_status', ''])
    assert.equal(segmentOf(name, segmentBytes), undefined)
})

test('a history says where each timeline ended', () => {
  const history = '1\t0/3000158\tno recovery target specified\n\n2\t0/5000000\tbefore 2026-11-21 18:54:22+00\n'
  assert.deepEqual(forksIn(history), [
    { timeline: 1, end: 0x300_0158n },
    { timeline: 2, end: 0x500_0000n },
  ])
  assert.deepEqual(forksIn(''), [])
})
