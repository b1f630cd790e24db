import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { createLogDatabase, openLog } from '#harness/log'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import { createWakeups, type Followed, registerLog } from '#log'
import { ask, asked, hinted, toyModule } from './conformance/toy.ts'
import { createFollower, type Follower } from './follow.ts'
import { covers, decodeOffsets, encodeOffsets, furthest, type Offsets } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'

const topics = [asked.topic, hinted.topic]

test('a follower hears everything once, whatever commits late', async (t) => {
  const { log, follower, wakeups } = await setUp(t)
  const heard: Followed[] = []
  const { ready } = follower.follow((batch) => void heard.push(...batch))
  await ready
  const random = seededRandom(7)
  const total = 200
  const appending = Array.from({ length: total }, async (_, n) => {
    const event = ask(`key_${n}`, { n }, n % 3 === 0 ? hinted : asked)
    await log.appendSlowly([event], () => systemClock.sleep(random.unit() * 20))
    wakeups.wake([event.of.topic])
  })
  await Promise.all(appending)
  await until('all is heard', () => heard.length >= total)
  for (const events of Map.groupBy(heard, ({ place }) => place).values()) {
    assert.deepEqual(
      events.map(({ offset }) => offset),
      events.map((_, place) => place),
    )
  }
  assert.equal(heard.length, total)

  // From after any event on, exactly the rest comes: also in pages that hold a part of what was heard as one.
  for (const [place, event] of heard.entries()) {
    if (place % 23 !== 0) continue
    const rest = await readFrom(follower, event.offsets)
    assert.deepEqual(namesOf(rest), namesOf(heard.slice(place + 1)))
  }
})

test('a backlog comes in pages, and no event before what it follows from', async (t) => {
  const { log, follower } = await setUp(t)
  // One partition holds far more than a page; its answers, elsewhere, were appended after all of it.
  await log.append(Array.from({ length: 700 }, (_, n) => ask('busy', { n })))
  await log.append([ask('quiet', { n: 1 }, hinted), ask('busy', { n: 2 }, hinted)])
  const pages = await pagesFrom(
    follower,
    (await follower.heads()).map(() => 0),
  )
  assert.ok(pages.length >= 5)
  const events = pages.flat()
  assert.equal(events.length, 702)
  assert.deepEqual(
    events.slice(-2).map(({ type }) => type),
    [hinted.type, hinted.type],
  )
})

test('nobody listening costs nothing, and the next one begins at the end', async (t) => {
  const { log, follower, wakeups } = await setUp(t)
  const first = follower.follow(() => {})
  await first.ready
  first.stop()
  wakeups.wake(topics)
  await until('it is at rest', () => follower.offsets() === undefined)
  await log.append([ask('missed', { n: 1 })])
  const heard: Followed[] = []
  const second = follower.follow((batch) => void heard.push(...batch))
  await second.ready
  await log.append([ask('heard', { n: 2 })])
  await until('it hears again', () => heard.length > 0)
  assert.deepEqual(
    heard.map(({ key }) => key),
    ['heard'],
  )
})

test('without a wake-up it looks by itself, and an event says all it says elsewhere', async (t) => {
  const { log, follower } = await setUp(t)
  const heard: Followed[] = []
  await follower.follow((batch) => void heard.push(...batch)).ready
  await log.append([ask('key', { n: 5 })])
  await until('it is heard', () => heard.length === 1)
  const event = heard[0]?.read()
  assert.deepEqual(
    [event?.type, event?.topic, event?.key, event?.tenant, event?.mode, event?.data],
    [asked.type, asked.topic, 'key', 'tenant_a', 'test', { n: 5 }],
  )
  assert.ok(event?.time instanceof Date)
})

test('offsets are read back as they were written, and topics added since begin at their beginning', () => {
  const offsets = fc.array(fc.maxSafeNat(), { minLength: 2 * PARTITIONS, maxLength: 2 * PARTITIONS })
  fc.assert(
    fc.property(offsets, (one) => {
      assert.deepEqual(decodeOffsets(encodeOffsets(one), 2), one)
      assert.deepEqual(decodeOffsets(encodeOffsets(one), 3), [...one, ...Array(PARTITIONS).fill(0)])
    }),
  )
})

test('of two readers the furthest covers both, and nothing that covers both is less', () => {
  const offsets = fc.array(fc.nat(9), { minLength: 4, maxLength: 4 })
  fc.assert(
    fc.property(offsets, offsets, offsets, (one, other, third) => {
      const both = furthest(one, other)
      assert.ok(covers(both, one) && covers(both, other))
      if (covers(third, one) && covers(third, other)) assert.ok(covers(third, both))
    }),
  )
})

async function setUp(t: TestContext) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 4, applicationName: 'follower' })
  const wakeups = createWakeups()
  await registerLog(database, [toyModule()], [])
  const follower = createFollower({ database, wakeups, clock: systemClock, topics })
  t.after(async () => {
    await follower.close()
    await database.close()
  })
  return { log: openLog(t, url), follower, wakeups }
}

async function pagesFrom(follower: Follower, from: Offsets): Promise<(readonly Followed[])[]> {
  const pages: (readonly Followed[])[] = []
  for (let offsets = from; ; ) {
    const page = await follower.page(offsets)
    pages.push(page.events)
    offsets = page.offsets
    if (page.isLast) return pages
  }
}

async function readFrom(follower: Follower, from: Offsets): Promise<Followed[]> {
  return (await pagesFrom(follower, from)).flat()
}

function namesOf(events: readonly Followed[]): string[] {
  return events.map(({ place, offset }) => `${place}@${offset}`).sort()
}
