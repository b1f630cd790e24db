import assert from 'node:assert/strict'
import test from 'node:test'
import { Type } from 'typebox'
import { createPuppet } from '#harness/faults'
import { createLogDatabase } from '#harness/log'
import { until } from '#harness/until'
import { statement } from '#kernel/database'
import { appendRows, encode } from './codec.ts'
import { ask, asked } from './conformance/toy.ts'
import { createDoor } from './door.ts'
import { eventType } from './event.ts'
import { partitionOf } from './partitioner.ts'
import * as sql from './sql.ts'
import { createWakeups } from './wakeup.ts'

async function openDoor(t: { after(work: () => Promise<void>): void }) {
  const { url } = await createLogDatabase(t)
  const puppet = createPuppet({ url, name: 'door' })
  const { database } = puppet
  await sql.createTopic(database, asked.topic, 8)
  const door = createDoor(database, createWakeups())
  t.after(async () => {
    await door.close()
    await puppet.close()
  })
  return { door, database, puppet }
}

test('what is asked in one turn shares a commit', async (t) => {
  const { door, puppet } = await openDoor(t)
  const before = puppet.points()
  await Promise.all(Array.from({ length: 200 }, (_, n) => door.append([ask(`key ${n}`, { n })])))
  // A begin, an append and a commit.
  assert.equal(puppet.points() - before, 3)
})

test('a partition that somebody holds leaves the others flowing, and gets its own when it is let go', async (t) => {
  const { door, database } = await openDoor(t)
  const held = ask('held', { n: 0 })
  const release = Promise.withResolvers<void>()
  const isHeld = Promise.withResolvers<void>()
  const holder = database.transaction({}, async (tx) => {
    await sql.append(tx, appendRows([encode(held)]))
    isHeld.resolve()
    await release.promise
  })
  await isHeld.promise
  const keys = Array.from({ length: 40 }, (_, n) => `key ${n}`)
  const isFree = (key: string): boolean => partitionOf(key) !== partitionOf('held')
  const committed: string[] = []
  const appends = keys.map(async (key, n) => {
    await door.append([ask(key, { n })])
    committed.push(key)
  })
  await until('the others are on the log', () => committed.length === keys.filter(isFree).length)
  assert.ok(committed.every(isFree))
  release.resolve()
  await Promise.all([holder, ...appends])
  assert.equal(committed.length, keys.length)
})

test('an event that does not fit fails alone, and its company is appended', async (t) => {
  const { door } = await openDoor(t)
  const bad = { ...ask('key', { n: 1 }), data: { n: 'one' } }
  const outcomes = await Promise.allSettled(
    [[ask('a', { n: 1 })], [bad], [ask('b', { n: 2 })]].map((events) => door.append(events)),
  )
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test('an event for a topic that does not exist is not taken for appended', async (t) => {
  const { door } = await openDoor(t)
  const nowhere = eventType({ type: 'toy.lost', topic: 'toy.nowhere', schema: Type.Object({ n: Type.Integer() }) })
  await assert.rejects(door.append([ask('key', { n: 0 }, nowhere)]), /has not been created/)
})

test('an append is all or nothing', async (t) => {
  const { door, database } = await openDoor(t)
  await assert.rejects(door.append([ask('a', { n: 1 }), { ...ask('b', { n: 2 }), data: {} }]))
  assert.deepEqual(await database.query(ROWS), [])
})

test('a large group is split before it is too much for one transaction', async (t) => {
  const { door, database } = await openDoor(t)
  const text = 'x'.repeat(200_000)
  await Promise.all(Array.from({ length: 60 }, (_, n) => door.append([ask(`key ${n}`, { n, text })])))
  const rows = await database.query(ROWS)
  assert.equal(rows.length, 60)
  assert.ok(new Set(rows.map(({ position }) => position)).size >= 3)
})

const ROWS = statement('test.rows', 'select position from log.event')
