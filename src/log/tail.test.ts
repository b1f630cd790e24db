import assert from 'node:assert/strict'
import test from 'node:test'
import { createTail, type Tail } from './tail.ts'

const readers = ['one', 'other'].map((group) => ({ group, topics: ['news'] }))
const events = (...offsets: number[]) => offsets.map((offset) => eventAt(offset))

function eventAt(offset: number, { topic = 'news', bytes = 10 } = {}) {
  const row = {
    ...{ topic, partition: 3, offset: BigInt(offset), time: new Date(0), key: 'key', type: 'news.heard' },
    ...{ version: 1, id: `evt_${offset}`, tenant: 'main', mode: 'test', traceparent: '', causation_id: null },
    ...{ correlation_id: '', data: {}, is_parked: false },
  }
  return { row, position: BigInt(offset), bytes }
}

/** Both groups have all partitions, but those named. */
function openTail(about: { eventsMax?: number; bytesMax?: number } = {}, away: readonly string[] = []): Tail {
  const tail = createTail(about)
  tail.serve(readers, { of: (group) => new Map(away.includes(group) ? [] : [[3, 1n]]) })
  return tail
}

const held = (tail: Tail): string[] =>
  tail.stretches(['news'], [3]).map(({ first, end, events }) => {
    assert.deepEqual(
      events.slice(0, Number(end - first)).map(({ row }) => row.offset),
      Array.from({ length: Number(end - first) }, (_, n) => first + BigInt(n)),
    )
    return `${first} to ${end}`
  })

test('what is appended in order is one stretch, and in any other order one in the end', () => {
  const tail = openTail()
  tail.add(events(4, 5))
  tail.add(events(8, 9))
  assert.deepEqual(held(tail), ['4 to 6', '8 to 10'])
  tail.add(events(5, 6, 7, 8))
  assert.deepEqual(held(tail), ['4 to 10'])
  tail.add(events(2, 3, 10))
  assert.deepEqual(held(tail), ['2 to 11'])
})

test('it is kept until every group that has the partition has passed it', () => {
  const tail = openTail()
  const passed = (group: string, nextOffset: bigint) =>
    tail.passed(group, [{ topic: 'news', partition: 3, nextOffset }])
  passed('one', 0n)
  passed('other', 0n)
  tail.add(events(0, 1, 2, 3))
  passed('one', 3n)
  assert.deepEqual(held(tail), ['0 to 4'])
  passed('other', 2n)
  assert.deepEqual(held(tail), ['2 to 4'])
  // Comes late: both are past it.
  tail.add(events(1))
  assert.deepEqual(held(tail), ['2 to 4'])
  passed('other', 4n)
  passed('one', 4n)
  assert.deepEqual(held(tail), [])
})

test('a group whose partition another process has holds nothing up', () => {
  const tail = openTail({}, ['other'])
  tail.passed('other', [{ topic: 'news', partition: 3, nextOffset: 0n }])
  tail.add(events(0, 1))
  tail.passed('one', [{ topic: 'news', partition: 3, nextOffset: 2n }])
  assert.deepEqual(held(tail), [])
})

test('a stretch that was asked for stays whole when it is forgotten, and ends where it ended', () => {
  const tail = openTail({ eventsMax: 3 })
  tail.add(events(0, 1, 2))
  const [stretch] = tail.stretches(['news'], [3])
  tail.add(events(3, 4))
  assert.deepEqual(held(tail), ['2 to 5'])
  assert.equal(stretch?.end, 3n)
  assert.deepEqual(
    stretch?.events.slice(0, 3).map(({ row }) => row.id),
    ['evt_0', 'evt_1', 'evt_2'],
  )
})

test('it is bounded in bytes, and takes new events when there is room again', () => {
  const tail = openTail({ bytesMax: 25 })
  tail.add(events(0, 1))
  tail.add(events(2))
  assert.deepEqual(held(tail), [])
  tail.add(events(3, 4))
  assert.deepEqual(held(tail), ['3 to 5'])
})

test('nothing is kept that nobody reads, nor before it is known who does', () => {
  const tail = createTail()
  tail.add(events(0))
  tail.serve(readers, { of: () => new Map([[3, 1n]]) })
  tail.add([eventAt(0, { topic: 'unread' })])
  assert.deepEqual([held(tail), tail.stretches(['unread'], [3])], [[], []])
})
