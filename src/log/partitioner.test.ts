import assert from 'node:assert/strict'
import test from 'node:test'
import { PARTITIONS, partitionOf } from './partitioner.ts'

// Hashes that Kafka publishes for its murmur2, in its own test of it (UtilsTest.testMurmur2).
const published: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

for (const [key, hash] of published) {
  test(`${key} goes where Kafka's default partitioner puts it`, () => {
    for (const partitions of [1, 8, 12, 1_000_003]) {
      assert.equal(partitionOf(key, partitions), (hash & 0x7fffffff) % partitions)
    }
  })
}

test('keys spread evenly over the partitions', () => {
  const counts = new Array<number>(PARTITIONS).fill(0)
  for (let n = 0; n < 8_000; n++) counts[partitionOf(`pay_${n}`)] = (counts[partitionOf(`pay_${n}`)] ?? 0) + 1
  assert.ok(Math.min(...counts) > 900 && Math.max(...counts) < 1_100, String(counts))
})

test('a key of any bytes has a partition', () => {
  for (const key of ['', '\u0080', '漢', '😀', 'é'.repeat(1_000)])
    assert.ok(partitionOf(key) >= 0 && partitionOf(key) < PARTITIONS)
})
