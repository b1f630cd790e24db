import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { rowsOf } from '#harness/app'
import { openArchivedLog } from '#harness/archived-log'
import { gaps } from '#log'
import { headsOf } from './browse.ts'
import { answered, ask, asked, hinted, WATCH } from './conformance/toy.ts'
import { createHistory } from './history.ts'
import { placeOf } from './offsets.ts'
import { PARTITIONS } from './partitioner.ts'

const topics = [asked.topic, hinted.topic, answered.topic, 'toy.alarms']

type Act =
  | { kind: 'append'; keys: number[] }
  | { kind: 'archive' }
  | { kind: 'serve' }
  | { kind: 'answer' }
  | { kind: 'watch'; total: number }
  | { kind: 'begin' }
  | { kind: 'cut'; at: number }

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('append'), keys: fc.array(fc.nat(2), { minLength: 1 }) }) },
    { weight: 4, arbitrary: fc.constant({ kind: 'archive' }) },
    { weight: 6, arbitrary: fc.constant({ kind: 'serve' }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'answer' }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('watch'), total: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'begin' }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut'), at: fc.integer({ min: 1, max: 9 }) }) },
  ),
  { minLength: 15, maxLength: 50 },
) as fc.Arbitrary<Act[]>

// Goal: whatever is archived, dropped and brought back while a group is behind, and wherever that breaks off, every reader
// sees every offset once, in order, and nothing before its cause. Method: one database lives through all runs, so that
// histories grow long; each act is one call, the archiver's connections break at a random statement of it.
test('every reader sees every event once and in order, across any archiving, dropping and breaking off', async (t) => {
  const world = await openWorld(t)
  await fc.assert(
    fc.asyncProperty(acts, async (list) => {
      for (const act of list) await world.play(act)
      await world.check()
    }),
    { numRuns: 6, seed: 5 },
  )
  const { done, problems } = world
  assert.deepEqual(problems, [])
  assert.ok(done.dropped > 20 && done.restored > 10, JSON.stringify(done))
})

async function openWorld(t: TestContext) {
  const world = await openArchivedLog(t)
  const { log, database, archive } = world
  let n = 0
  return {
    ...world,
    async play(act: Act): Promise<void> {
      switch (act.kind) {
        case 'append':
          return log.append(act.keys.map((key) => ask(`key_${key}`, { n: ++n }, n % 3 === 0 ? hinted : asked)))
        case 'archive':
          return world.archiveAll()
        case 'serve':
          await world.serve()
          return
        case 'answer':
          await world.answer(100)
          return
        case 'watch':
          await world.watch(act.total)
          return
        case 'begin':
          // As a new group that starts at the beginning of a log most of which is in the archive.
          await rowsOf(database, 'delete from toy.seen where grp = $1', [WATCH])
          await rowsOf(database, 'update log.checkpoint set next_offset = 0 where grp = $1', [WATCH])
          return
        case 'cut':
          return world.cutAt(act.at)
      }
    },
    async check(): Promise<void> {
      world.cutAt(Number.POSITIVE_INFINITY)
      let [events, isServed] = [1, true]
      while (events > 0 || isServed) {
        isServed = await world.serve()
        events = (await world.watch(20)) + (await world.answer(20))
      }
      assert.equal(await log.lag(WATCH), 0)
      const seen = await log.seen(WATCH)
      for (const offsets of Map.groupBy(seen, ({ topic, partition }) => `${topic}/${partition}`).values()) {
        assert.deepEqual(
          offsets.map(({ offset }) => offset),
          offsets.map((_, place) => place),
        )
      }
      const at = new Map(seen.map(({ id }, place) => [id, place]))
      for (const [place, { causationId }] of seen.entries()) assert.ok((at.get(causationId ?? '') ?? -1) < place)
      assert.deepEqual(await gaps(database), [])

      const until = topics.flatMap(() => Array.from({ length: PARTITIONS }, () => 0))
      for (const { topic, partition, next_offset } of await headsOf(database, topics)) {
        until[placeOf(topics, topic, partition)] = Number(next_offset)
      }
      const told: string[] = []
      let position = 0n
      const from = until.map(() => 0)
      for await (const batch of createHistory({ database, archive }).read({ topics, from, until })) {
        for (const row of batch) {
          assert.ok(row.position >= position)
          position = row.position
          told.push(JSON.parse(row.event).id)
        }
      }
      assert.deepEqual(told.toSorted(), seen.map(({ id }) => id).toSorted())
    },
  }
}
