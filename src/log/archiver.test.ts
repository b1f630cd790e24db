import assert from 'node:assert/strict'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { rowsOf } from '#harness/app'
import { openArchivedLog } from '#harness/archived-log'
import { createPuppet } from '#harness/faults'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import { createWakeups, gaps, startLog } from '#log'
import { listSegments } from './archive/sql.ts'
import { verifyArchive } from './archive/verify.ts'
import { archivedEventsNamed } from './archived-events.ts'
import { ARCHIVE_GROUP } from './archiver.ts'
import { ask, asked } from './conformance/toy.ts'
import { createFollower } from './follow.ts'
import { createHistory } from './history.ts'
import { stretchSince } from './since.ts'

test('of a segment whose rows are going, none is read any more', async (t) => {
  const { database, log, archiveAll, serve, done, watch } = await openArchivedLog(t)
  // In one append, so that they have one position, and what is left could pass for what comes next.
  await log.append(Array.from({ length: 6 }, (_, n) => ask('key', { n })))
  await archiveAll()
  await rowsOf(database, `update log.segment set state = 'dropping'`)
  await rowsOf(database, 'delete from log.record where "offset" in (0, 1)')
  assert.equal(await watch(10), 0)
  await assert.rejects(rowsOf(database, `select * from log.unread('toy.watch')`), /behind the archive/)

  // Needed, so it is brought back whole, whoever began to drop it.
  await serve()
  assert.equal(done.restored, 1)
  assert.equal(await watch(10), 6)
  assert.equal((await rowsOf(database, `select * from log.unread('toy.watch')`)).length, 0)
})

test('a follower is told that its place is in the archive alone, and begins where the log does', async (t) => {
  const { database, log, archiveAll, drain } = await openArchivedLog(t)
  const follower = createFollower({ database, wakeups: createWakeups(), clock: systemClock, topics: [asked.topic] })
  t.after(() => follower.close())
  const start = await follower.beginning()
  const say = (n: number) => log.append([ask('key', { n })])
  for (const n of [1, 2, 3]) {
    await say(n)
    await archiveAll()
  }
  await drain()
  const events = (page: Awaited<ReturnType<typeof follower.page>>) => page.events.map((event) => event.read().data)
  // All of them are gone, so no row could give it away.
  await assert.rejects(follower.page(start), { code: 'events_archived' })
  const kept = await follower.beginning()
  await say(4)
  await assert.rejects(follower.page(start), { code: 'events_archived' })
  assert.deepEqual(events(await follower.page(kept)), [{ n: 4 }])
  assert.deepEqual(await follower.beginning(), kept)
})

test('a flipped bit, a missing file, a stranger and a gap are found, and no row goes for a file that is not whole', async (t) => {
  const { database, log, archive, archiveAll, drain, problems } = await openArchivedLog(t)
  for (let n = 0; n < 4; n++) {
    await log.append([ask('key', { n })])
    await archiveAll()
  }
  const [first, second, third] = await listSegments(database)
  assert.ok(first && second && third)
  assert.deepEqual((await verifyArchive(database, archive)).findings, [])

  const bytes = await readFile(archive.pathOf(first))
  bytes[9] = (bytes[9] ?? 0) ^ 1
  await writeFile(archive.pathOf(first), bytes)
  await rename(archive.pathOf(second), `${archive.pathOf(second)}.jsonl.zst`)
  await drain()
  const { findings, strangers } = await verifyArchive(database, archive)
  assert.deepEqual(
    findings.map((finding) => finding.replace(archive.directory, '').replace(/[0-9a-f]{16}\.jsonl/, 'X.jsonl')),
    [
      'toy.inbox/1 0–0: /toy.inbox/1/0000000000000000-X.jsonl.zst is not what was written there',
      'toy.inbox/1 1–1: /toy.inbox/1/0000000000000001-X.jsonl.zst cannot be read',
    ],
  )
  assert.deepEqual(strangers, [`${second.file}.jsonl.zst`])
  assert.equal(problems.length, 2)
  const states = (await listSegments(database)).map(({ state }) => state)
  assert.deepEqual(states, ['kept', 'kept', 'dropped', 'dropped'])

  await rowsOf(database, 'delete from log.segment where first_offset = 2')
  const { findings: further } = await verifyArchive(database, archive)
  assert.match(further.at(-1) ?? '', /offsets from 2 on are in no segment/)
  assert.deepEqual(await gaps(database), [{ topic: asked.topic, partition: 1, next_offset: 4n, events: 3n }])
})

test('what was archived since an instant is found from there on', async (t) => {
  const { database, log, archive, archiveAll, drain } = await openArchivedLog(t)
  const times = [1, 2, 3, 4, 5, 6].map((hour) => new Date(Date.UTC(2026, 10, 21, hour)))
  for (const [n, time] of times.entries()) {
    await log.append([ask('key', { n }), ask('other', { n })])
    await rowsOf(database, `update log.record set time = $1 where time > '2026-11-21T10:00Z'`, [time])
    if (n < 4) await archiveAll()
  }
  await drain()
  for (const [place, since] of times.entries()) {
    const told: number[] = []
    const stretch = await stretchSince(database, [asked.topic], since)
    for await (const rows of createHistory({ database, archive }).read(stretch)) {
      told.push(...rows.filter(({ time }) => time >= since).map(({ event }) => JSON.parse(event).data.n))
    }
    assert.deepEqual(
      told.toSorted(),
      times.flatMap((_, n) => (n < place ? [] : [n, n])),
    )
  }
  const unread = createHistory({ database }).read(await stretchSince(database, [asked.topic], new Date(0)))
  await assert.rejects(Array.fromAsync(unread), /MILLRACE_ARCHIVE_DIR/)
  const found = await archivedEventsNamed(database, archive, 'other')
  assert.deepEqual(
    found.map(({ data }) => data),
    [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }],
  )
})

test('of two processes one archives, and the other goes on when it stops', async (t) => {
  const { database, log, archive, catchUp } = await openArchivedLog(t)
  const DAY_MS = 24 * 60 * 60_000
  let days = 0
  const start = (name: string) => {
    const puppet = createPuppet({ url: log.url, name, offsetMs: () => days * DAY_MS })
    t.after(() => puppet.close())
    return startLog({
      ...puppet,
      modules: [],
      random: seededRandom(1),
      wakeups: createWakeups(),
      process: name,
      soloGroups: [],
      archiving: { archive, retentionMs: 30 * DAY_MS },
      enqueue: async () => {},
      report: () => {},
    })
  }
  const states = async () => (await listSegments(database)).map(({ state }) => state)
  // Two events each: the question and its answer.
  await log.append([ask('key', { n: 1 })])
  await catchUp()
  days = 2
  const first = await start('first')
  t.after(() => first.stop())
  const second = await start('second')
  t.after(() => second.stop())
  await until('what is two days old is archived', async () => (await states()).length === 2)
  assert.deepEqual(await states(), ['kept', 'kept'])
  assert.deepEqual(
    [first, second].map(({ leases }) => leases.of(ARCHIVE_GROUP).size),
    [1, 0],
  )

  await log.append([ask('key', { n: 2 })])
  await catchUp()
  days = 40
  await first.stop()
  await until(
    'the other archives, and drops what is forty days old',
    async () => (await states()).join() === 'dropped,dropped,dropped,dropped',
  )
  assert.deepEqual(await gaps(database), [])
})
