import assert from 'node:assert/strict'
import test from 'node:test'
import { createPuppet } from '#harness/faults'
import { act, cure, modules, openQueue } from '#harness/parked-queue'
import { until } from '#harness/until'
import { statement } from '#kernel/database'
import { seededRandom } from '#kernel/random'
import { ANSWER, WATCH } from './conformance/toy.ts'
import { createRedrive } from './redrive.ts'
import * as sql from './sql.ts'

test('an act that dies after any statement has been done with its event, or not at all', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  for (const what of ['retry', 'discard'] as const) {
    let at = 1
    for (let isWhole = false; !isWhole; at++) {
      const key = `${what} ${at}`
      await queue.append(key, 0, true)
      await queue.append(key, 1, false)
      await turns.take(5)
      const doomed = createPuppet({ url: queue.url, name: key })
      doomed.arm({ at, kind: 'die' })
      const redrive = createRedrive(doomed.database, seededRandom(at), modules)
      const target = { group: ANSWER, key }
      const acts = { retry: redrive.retry, discard: redrive.discard }
      const whole = () => {
        isWhole = true
      }
      void acts[what](target, act).then(whole, () => assert.ok(doomed.isDead()))
      await until('it is done or dead', () => isWhole || doomed.isDead())
      if (isWhole) await doomed.close()

      const [facts, left] = [await queue.facts(key), await queue.parked(key)]
      await turns.retry()
      const [seen, after] = [await queue.seen(key), await queue.parked(key)]
      const happened = what === 'discard' ? left.length === 1 : facts.length > 0
      assert.equal(facts.length, happened ? 1 : 0, `${key}: with its event`)
      assert.ok(!isWhole || happened, `${key}: told is done`)
      assert.deepEqual([seen, after.length], [[], what === 'discard' && happened ? 1 : 2], key)
      if (what === 'retry') assert.equal(after[0]?.attempts, happened ? 2 : 1, `${key}: asked for with its event`)
    }
    assert.ok(at > 5, `${what} has ${at} points only`)
  }
})

test('what a retry in vain says is of the event it tried, and the request that came meanwhile stands', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  const [key, target] = ['meanwhile', { group: ANSWER, key: 'meanwhile' }]
  await queue.append(key, 0, true)
  await turns.take(1)
  const [parked] = await queue.database.query<{ sequence: bigint; requests: number }>(
    statement('test.first', 'select p.sequence, k.requests from log.parked p join log.parked_key k using (grp, key)'),
  )
  assert.ok(parked)
  const failed = { ...target, sequence: parked.sequence, edits: 0, requests: parked.requests + 1, error: 'as it was' }
  await queue.redrive.retry(target, act)
  await queue.redrive.edit(target, cure, act)
  await queue.redrive.retry(target, act)
  await queue.database.transaction({}, (tx) => sql.retryFailed(tx, failed))
  await turns.retry()
  assert.deepEqual([await queue.seen(key), await queue.isParked(key)], [[0], false])
})

test('a projection is neither edited nor made to skip, and a dry run writes nothing', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  const target = { group: ANSWER, key: 'dry' }
  await queue.append('dry', 0, true)
  await turns.take(1)
  const dry = { ...act, isDryRun: true }
  for (const outcome of [
    await queue.redrive.edit(target, cure, dry),
    await queue.redrive.discard(target, dry),
    { status: (await queue.redrive.retry(target, dry)).length === 1 ? 'done' : 'not' },
  ])
    assert.equal(outcome.status, 'done')
  await turns.retry()
  assert.deepEqual([(await queue.parked('dry')).length, await queue.facts('dry')], [1, []])

  await queue.database.transaction({}, async (tx) => {
    const [{ event } = { event: {} }] = await tx.query<{ event: object }>(
      statement('test.any_parked', 'select event from log.parked limit 1'),
    )
    await sql.park(tx, WATCH, [event as sql.EventRow], 'as if the fold had choked')
  })
  const outcome = await queue.redrive.discard({ group: WATCH, key: 'dry' }, act)
  assert.match(outcome.status === 'refused' ? outcome.why : '', /^toy\.watch is a projection/)
})

test('an edit has to fit the schema, and what it was stays beside it', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  const target = { group: ANSWER, key: 'schema' }
  await queue.append('schema', 0, true)
  await turns.take(1)
  for (const [path, value, why] of [
    ['/data/say', 'nonsense', /toy\.asked: \/say /],
    ['/data/n', 'one', /toy\.asked: \/n /],
    ['/data/other', 1, /toy\.asked: /],
    ['/data/text', 'a\u0000b', /holds a NUL/],
  ] as const) {
    const outcome = await queue.redrive.edit(target, { set: [{ path, value }] }, act)
    assert.match(outcome.status === 'refused' ? outcome.why : '', why)
  }
  await queue.redrive.edit(target, cure, act)
  await queue.redrive.edit(target, { set: [{ path: '/data/n', value: 7 }] }, act)
  const [row] = await queue.database.query<{ before: object; after: object }>(
    statement('test.original', `select original -> 'data' as before, event -> 'data' as after from log.parked`),
  )
  assert.deepEqual(
    [row?.before, row?.after],
    [
      { n: 0, say: 'poison' },
      { n: 7, say: 'hush' },
    ],
  )
  const [first] = await queue.facts('schema')
  const { event, ...fact } = first?.data ?? {}
  assert.match(String(event), /^evt_/)
  assert.deepEqual(fact, {
    group: ANSWER,
    type: 'toy.asked',
    topic: 'toy.inbox',
    partition: fact.partition,
    offset: fact.offset,
    changes: [{ path: '/data/say', before: '"poison"', after: '"hush"' }],
    by: 'os:ada',
    reason: 'the test asks for it',
  })
})

test('a discarded firing takes its timer along, and another decider’s event leaves timers alone', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  const timer = { id: 'alarm', generation: '7' }
  for (const [id, generation] of [
    ['alarm', 7],
    ['other', 8],
  ] as const) {
    await queue.database.query(
      statement(
        'test.timer',
        `insert into log.timer (id, generation, partition, due_at, fired_at, event) values ($1, $2, 0, log.now(), log.now(), '{}')`,
      ),
      [id, generation],
    )
  }
  await queue.append('bell', 0, true)
  await turns.take(1)
  await queue.database.query(
    statement(
      'test.make_firing',
      `update log.parked set event = (event::jsonb || jsonb_build_object('timer_id', $1::text, 'timer_generation', $2::text))::json`,
    ),
    [timer.id, timer.generation],
  )
  await queue.redrive.discard({ group: ANSWER, key: 'bell' }, act)
  const left = await queue.database.query<{ id: string }>(statement('test.timers_left', 'select id from log.timer'))
  assert.deepEqual(left, [{ id: 'other' }])
})

test('a parked event of a newer version waits for a newer process, and what stands before it does not', async (t) => {
  const queue = await openQueue(t)
  const turns = await queue.join('one')
  const target = { group: ANSWER, key: 'newer' }
  for (const n of [0, 1, 2]) await queue.append('newer', n, n === 0)
  await turns.take(3)
  await queue.redrive.edit(target, cure, act)
  const setVersion = (version: number) =>
    queue.database.query(
      statement(
        'test.set_version',
        `update log.parked set event = jsonb_set(event::jsonb, '{version}', to_jsonb($1::int))::json
         where (event -> 'data' ->> 'n')::int = 1`,
      ),
      [version],
    )
  await setVersion(99)
  await queue.redrive.retry(target, act)
  await turns.retry()
  const left = await queue.parked('newer')
  assert.deepEqual([await queue.seen('newer'), left.map(({ n }) => n)], [[0], [1, 2]])
  assert.equal(left[0]?.attempts, 1, 'it was not tried in vain')
  const outcome = await queue.redrive.discard(target, act)
  assert.match(outcome.status === 'refused' ? outcome.why : '', /newer than this version/)

  await setVersion(1)
  await turns.retry()
  assert.deepEqual([await queue.seen('newer'), await queue.isParked('newer')], [[0, 1, 2], false])
})
