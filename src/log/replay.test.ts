import assert from 'node:assert/strict'
import test from 'node:test'
import { differencesOf, NOTES, notesModule, openToy } from '#harness/notes'
import { UsageError } from '#kernel/errors'
import type { Module } from './module.ts'
import type { ReplayOptions } from './replay.ts'

test('every row that differs is told, with what both have', async (t) => {
  const toy = await openToy(t)
  for (const each of ['ada', 'bob', 'cyd']) await toy.arrive(each, false)
  await toy.turn(10)
  await toy.spoil('change', 'ada')
  await toy.spoil('remove', 'bob')
  await toy.spoil('add', 'eve')
  const { open, close } = await toy.replay()
  await open.catchUp()
  const found = await differencesOf(open)
  const said = (text: string | null): unknown => (text === null ? null : JSON.parse(text).said)
  assert.deepEqual(
    found.map(({ table, key: name, live, rebuilt }) => [table, JSON.parse(name).key, said(live), said(rebuilt)]),
    [
      ['toy.note', 'ada', 'spoiled', '1'],
      ['toy.note', 'bob', null, '2'],
      ['toy.note', 'eve', 'spoiled', null],
    ],
  )
  assert.deepEqual(await open.swap('os:ada'), {
    events: 3,
    tables: [
      { table: 'toy.note', written: 2, removed: 1 },
      { table: 'toy.heard', written: 0, removed: 0 },
    ],
  })
  const facts = await toy.rows(`select key, tenant, mode, data from log.event where type = 'log.projection_swapped'`)
  assert.equal(facts.length, 1)
  const { key: projection, data } = facts[0] as { key: string; data: { by: string; offsets: { offset: number }[] } }
  assert.equal(projection, NOTES)
  assert.equal(data.by, 'os:ada')
  assert.equal(
    data.offsets.reduce((sum, { offset }) => sum + offset, 0),
    3,
  )
  await close()
})

test('what cannot be rebuilt is refused by name', async (t) => {
  const toy = await openToy(t)
  const refused: [Partial<ReplayOptions>, RegExp][] = [
    [{ projection: 'toy.note' }, /^No projection has the name toy\.note\. Did you mean toy\.notes\?$/],
    [{ modules: [withTables([])] }, /^toy\.notes has no tables/],
    [{ modules: [withTables(['note'])] }, /note is not declared as schema\.table/],
    [{ modules: [withTables(['toy.nothing'])] }, /toy\.nothing is not there/],
    [{ modules: [withTables(['toy.loose'])] }, /toy\.loose has no primary key/],
    [{ modules: [withTables(['toy.seen'])] }, /toy\.seen numbers its rows by sequence/],
  ]
  await toy.script('create table toy.loose (key text)')
  for (const [about, message] of refused) {
    await assert.rejects(toy.replay(about), (error) => error instanceof UsageError && message.test(error.message))
  }
})

test('a fold that writes what it does not declare harms nothing', async (t) => {
  const toy = await openToy(t)
  await toy.arrive('ada', false)
  await toy.turn(1)
  await toy.script('create table toy.other (like toy.note including all); grant all on toy.other to millrace_toy')
  const { open, close } = await toy.replay({ modules: [withTables(['toy.other'])] })
  await assert.rejects(open.catchUp(), /^ReplayFailure: toy\.notes writes to a table that it does not declare\.$/)
  assert.deepEqual(await toy.notes(), { ada: '1' })
  await close()
})

test('an event that the code cannot fold, or is too old for, is named', async (t) => {
  const toy = await openToy(t)
  for (let n = 1; n <= 5; n++) await toy.arrive('ada', false)
  await toy.turn(9)
  const chokes = await toy.replay({ modules: [notesModule((n) => n === 4)] })
  await assert.rejects(
    chokes.open.catchUp(),
    /toy\.notes cannot fold toy\.hinted at toy\.hints\/\d@1: InvariantViolation: the fold chokes on it/,
  )
  await chokes.close()
  await toy.script(
    `update log.record set event = jsonb_set(event::jsonb, '{version}', '2')::text where event::json -> 'data' ->> 'n' = '5'`,
  )
  const old = await toy.replay()
  await assert.rejects(old.open.catchUp(), /toy\.inbox\/\d@2 is of a newer version/)
  await old.close()
})

function withTables(tables: readonly string[]): Module {
  const module = notesModule()
  return { ...module, projections: (module.projections ?? []).map((one) => ({ ...one, tables })) }
}
