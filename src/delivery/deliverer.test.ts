import assert from 'node:assert/strict'
import test from 'node:test'
import { Type } from 'typebox'
import { DESTINATION, delivery, openDeliveries } from '#harness/deliveries'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { eventType, follow } from '#log'
import type { Destination, Outcome } from './destination.ts'
import type { Delivery } from './sql.ts'

const done: Outcome = { kind: 'done', result: null }

type Call = { id: string; key: string; kind: 'send' | 'ask' }

/** A destination that writes down how it is called. */
function recording(about: Partial<Destination> = {}, answer: (call: Call) => Outcome | Promise<Outcome> = () => done) {
  const calls: Call[] = []
  const destination: Destination = {
    name: DESTINATION,
    concurrency: 4,
    idempotency: { kind: 'window', windowMs: 60_000 },
    async attempt({ id, key }: Delivery, kind) {
      const call = { id, key, kind }
      calls.push(call)
      return answer(call)
    },
    settle: () => [],
    ...about,
  }
  return { destination, calls }
}

const never = (): Promise<Outcome> => new Promise(() => {})
const unfit = eventType({ type: 'toy.answered', topic: 'toy', schema: Type.Object({}) })
const HOUR_MS = 3_600_000

test('the deliveries of a key go one after the other, in order', async (t) => {
  const outside = await openDeliveries(t)
  const under = new Set<string>()
  const { destination, calls } = recording({}, async ({ key }) => {
    assert.ok(!under.has(key), 'the one before is over')
    under.add(key)
    await systemClock.sleep(1)
    under.delete(key)
    return done
  })
  const process = await outside.start('one', destination)
  await outside.enqueue(Array.from({ length: 40 }, (_, n) => delivery(`d${n}`, `key ${n % 4}`)))
  await until('all are done', async () => (await outside.count('done')) === 40)
  for (const [key, of] of Map.groupBy(calls, (call) => call.key)) {
    assert.deepEqual(
      of.map(({ id }) => id),
      Array.from({ length: 10 }, (_, n) => `d${Number(key.slice(4)) + n * 4}`),
    )
  }
  assert.deepEqual(process.faults, [])
})

test('a key that fails holds up nobody else, and every attempt is recorded', async (t) => {
  const outside = await openDeliveries(t)
  let failures = 0
  const { destination } = recording({}, ({ key }) =>
    key === 'slow' && failures++ < 2 ? { kind: 'retry', reason: 'http_503' } : done,
  )
  await outside.start('one', destination)
  await outside.enqueue([delivery('a', 'slow'), delivery('b', 'slow'), delivery('c', 'quick')])
  await until('the quick one is done', async () => (await outside.count('done')) === 1)
  outside.stepClock(HOUR_MS)
  await until('all are done', async () => {
    outside.stepClock(HOUR_MS)
    return (await outside.count('done')) === 3
  })
  assert.deepEqual(
    (await outside.attempts()).map(({ id, attempt, kind, outcome, reason }) => [id, attempt, kind, outcome, reason]),
    [
      ['a', 1, 'send', 'retry', 'http_503'],
      ['a', 2, 'send', 'retry', 'http_503'],
      ['a', 3, 'send', 'done', null],
      ['b', 1, 'send', 'done', null],
      ['c', 1, 'send', 'done', null],
    ],
  )
})

test('Retry-After is kept to', async (t) => {
  const outside = await openDeliveries(t)
  const { destination, calls } = recording({}, () =>
    calls.length === 1 ? { kind: 'retry', reason: 'http_429', afterMs: 10 * HOUR_MS } : done,
  )
  await outside.start('one', destination)
  await outside.enqueue([delivery('a', 'key')])
  await until('it was refused', async () => (await outside.attempts()).length === 1)
  outside.stepClock(9 * HOUR_MS)
  await outside.enqueue([delivery('b', 'other')])
  await until('the other is done', async () => (await outside.count('done')) === 1)
  assert.equal(calls.filter(({ id }) => id === 'a').length, 1)
  outside.stepClock(2 * HOUR_MS)
  await until('all are done', async () => (await outside.count('done')) === 2)
})

/** Incident 2: between saying that it is about to be sent and recording that it was, the process dies. */
test('a process that dies in a call has it repeated by another, while the destination tells repetitions apart', async (t) => {
  const outside = await openDeliveries(t)
  const doomed = recording({}, never)
  const process = await outside.start('doomed', doomed.destination)
  await outside.enqueue([delivery('a', 'key'), delivery('b', 'key')])
  await until('it is being sent', () => doomed.calls.length === 1)
  await process.kill()
  const heir = recording()
  await outside.start('heir', heir.destination)
  await until('both are done', async () => (await outside.count('done')) === 2)
  assert.deepEqual(
    heir.calls.map(({ id, kind }) => [id, kind]),
    [
      ['a', 'send'],
      ['b', 'send'],
    ],
  )
})

test('past the window in which it may be repeated, a call that may have been made is only asked about', async (t) => {
  const outside = await openDeliveries(t)
  const doomed = recording({}, never)
  const process = await outside.start('doomed', doomed.destination)
  await outside.enqueue([delivery('a', 'key')])
  await until('it is being sent', () => doomed.calls.length === 1)
  await process.kill()
  outside.stepClock(HOUR_MS)
  const heir = recording()
  await outside.start('heir', heir.destination)
  await until('it is done', async () => (await outside.count('done')) === 1)
  assert.deepEqual(heir.calls, [{ id: 'a', key: 'key', kind: 'ask' }])
})

test('a call that may have been made is never repeated where repetitions count: it and its key wait for a person', async (t) => {
  const outside = await openDeliveries(t)
  const doomed = recording({ idempotency: { kind: 'none' } }, never)
  const process = await outside.start('doomed', doomed.destination)
  await outside.enqueue([delivery('a', 'key'), delivery('b', 'key')])
  await until('it is being sent', () => doomed.calls.length === 1)
  await process.kill()
  const heir = recording({ idempotency: { kind: 'none' } })
  await outside.start('heir', heir.destination)
  await outside.enqueue([delivery('c', 'other')])
  await until('the other key flows', async () => (await outside.count('done')) === 1)
  await until('it is held', async () => (await outside.count('held')) === 1)
  assert.deepEqual(
    heir.calls.map(({ id }) => id),
    ['c'],
  )
  assert.equal((await outside.attempts()).find(({ id }) => id === 'a')?.reason, 'may_have_been_sent')
})

test('a call whose time is past is not made, and told as expired', async (t) => {
  const outside = await openDeliveries(t)
  const told: string[] = []
  const settle: Destination['settle'] = (_delivery, { kind }) => {
    told.push(kind)
    return []
  }
  const { destination, calls } = recording({ settle })
  await outside.start('one', destination)
  await outside.enqueue([delivery('a', 'key', { notAfter: systemClock.now() - 1 })])
  await until('it is over', async () => (await outside.count('done')) === 1)
  assert.deepEqual([calls, told], [[], ['expired']])
})

/** Incident 28, with a crash: the first try may have reached the gateway, so it is neither repeated nor called expired. */
test('a call that may have been made and whose time is past is asked about, not made', async (t) => {
  const outside = await openDeliveries(t)
  const doomed = recording({ idempotency: { kind: 'window', windowMs: 100 * HOUR_MS } }, never)
  const process = await outside.start('doomed', doomed.destination)
  await outside.enqueue([delivery('a', 'key', { notAfter: systemClock.now() + 60_000 })])
  await until('it is being sent', () => doomed.calls.length === 1)
  await process.kill()
  outside.stepClock(2 * HOUR_MS)
  const heir = recording({ idempotency: { kind: 'window', windowMs: 100 * HOUR_MS } })
  await outside.start('heir', heir.destination)
  await until('it is over', async () => (await outside.count('done')) === 1)
  assert.deepEqual(
    heir.calls.map(({ kind }) => kind),
    ['ask'],
  )
})

test('two processes never call for one delivery at once', async (t) => {
  const outside = await openDeliveries(t)
  const { destination, calls } = recording()
  await outside.start('one', destination)
  await outside.start('two', destination)
  await outside.enqueue(Array.from({ length: 60 }, (_, n) => delivery(`d${n}`, `key ${n}`)))
  await until('all are done', async () => (await outside.count('done')) === 60)
  assert.equal(calls.length, 60)
})

test('a delivery enqueued while its key settles is never left behind', async (t) => {
  const outside = await openDeliveries(t)
  const { destination, calls } = recording({ concurrency: 8 })
  await outside.start('one', destination)
  const write = async (key: string): Promise<void> => {
    for (let n = 0; n < 40; n++) await outside.enqueue([delivery(`${key} ${n}`, key)])
  }
  await Promise.all(['a', 'b', 'c', 'd'].map(write))
  await until('all are done', async () => (await outside.count('done')) === 160)
  assert.equal(await outside.stranded(), 0)
  for (const [key, of] of Map.groupBy(calls, (call) => call.key)) {
    assert.deepEqual(
      of.map(({ id }) => id),
      Array.from({ length: 40 }, (_, n) => `${key} ${n}`),
    )
  }
})

test('the same delivery offered twice is one', async (t) => {
  const outside = await openDeliveries(t)
  const { destination, calls } = recording()
  await outside.start('one', destination)
  await outside.enqueue([delivery('a', 'key'), delivery('a', 'key')])
  await outside.enqueue([delivery('a', 'key'), delivery('b', 'key')])
  await until('both are done', async () => (await outside.count('done')) === 2)
  assert.deepEqual(
    calls.map(({ id }) => id),
    ['a', 'b'],
  )
})

/** The sequence: five failures open the circuit; when it would probe, the only retry is not due yet. */
test('a circuit that opened while nothing is due still lets the next call through', async (t) => {
  const outside = await openDeliveries(t)
  let isUp = false
  const { destination } = recording({ concurrency: 5 }, () =>
    isUp ? done : { kind: 'retry', reason: 'down', afterMs: HOUR_MS },
  )
  await outside.start('one', destination)
  await outside.enqueue([0, 1, 2, 3, 4].map((n) => delivery(`d${n}`, `key ${n}`)))
  await until('five have failed', async () => (await outside.attempts()).length === 5)
  isUp = true
  // Past the five seconds that the circuit stays open, while no head is due.
  await systemClock.sleep(5_600)
  outside.stepClock(2 * HOUR_MS)
  await until('all are done', async () => (await outside.count('done')) === 5)
})

test('a destination that fails over its own outcome has the delivery held, and no other', async (t) => {
  const outside = await openDeliveries(t)
  const settle: Destination['settle'] = (of) => {
    if (of.id === 'thrown') throw new Error('no words')
    return of.id === 'refused' ? [{ ...follow(of.cause, unfit, {}), data: 'not an object' }] : []
  }
  const { destination } = recording({ settle })
  await outside.start('one', destination)
  await outside.enqueue(['thrown', 'refused', 'fine'].map((id) => delivery(id, id)))
  await until('two are held', async () => (await outside.count('held')) === 2)
  await until('one is done', async () => (await outside.count('done')) === 1)
})

test('a process without the lease, or without room, does not spin', async (t) => {
  const outside = await openDeliveries(t)
  const { destination, calls } = recording({ concurrency: 1 }, never)
  const one = await outside.start('one', destination)
  const two = await outside.start('two', destination)
  await outside.enqueue([delivery('a', 'a'), delivery('b', 'b')])
  await until('one is being sent', () => calls.length === 1)
  const before = one.points() + two.points()
  await systemClock.sleep(1_000)
  const points = one.points() + two.points() - before
  await one.kill()
  await two.kill()
  assert.ok(points < 120, `${points} points between statements in a second`)
})
