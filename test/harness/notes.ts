import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { systemClock } from '#kernel/clock'
import { type Database, statement } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import {
  createHistory,
  createWakeups,
  type Module,
  openReplay,
  operations,
  projection,
  type Replay,
  type ReplayOptions,
  registerLog,
} from '#log'
import { appendRows, encode } from '../../src/log/codec.ts'
import { ask, asked, hinted } from '../../src/log/conformance/toy.ts'
import { createLeaseKeeper } from '../../src/log/lease.ts'
import { requestRetry, retryParked } from '../../src/log/parked.ts'
import type { Difference } from '../../src/log/replay/compare.ts'
import { consumersOf } from '../../src/log/runtime.ts'
import * as sql from '../../src/log/sql.ts'
import { PoisonEvent, parkHead, step } from '../../src/log/step.ts'
import { createLogDatabase } from './log.ts'

// A projection whose turns the test takes, one at a time, so that a sequence that fails is short and comes again.

export const NOTES = 'toy.notes'
const TABLE = `
  create table toy.note (key text primary key, said text not null, total bigint generated always as (length(said)) stored);
  create table toy.heard (key text, type text, last json not null, primary key (key, type));
  grant select, insert, update, delete on toy.note, toy.heard to millrace_toy`

/** Depends on the order of events within a key, so that another order shows. */
const NOTE = statement(
  'toy.note',
  `insert into toy.note as n (key, said)
   select key, string_agg(n, ' ' order by place)
   from json_to_recordset($1) as e (place int, key text, n text) group by key order by key
   on conflict (key) do update set said = n.said || ' ' || excluded.said`,
)

/** A key of two columns, and a type that has no equality. */
const HEAR = statement(
  'toy.hear',
  `insert into toy.heard (key, type, last)
   select distinct on (key, type) key, type, json_build_object('n', n)
   from json_to_recordset($1) as e (place int, key text, type text, n text) order by key, type, place desc
   on conflict (key, type) do update set last = excluded.last`,
)

export function notesModule(chokesOn: (n: number) => boolean = () => false): Module {
  const notes = projection({
    name: 'notes',
    reads: [asked, hinted],
    tables: ['toy.note', 'toy.heard'],
    fold: async (events, tx) => {
      for (const { data } of events) invariant(!chokesOn(data.n), 'the fold chokes on it')
      const rows = JSON.stringify(events.map(({ key, type, data }, place) => ({ place, key, type, n: String(data.n) })))
      await tx.query(NOTE, [rows])
      await tx.query(HEAR, [rows])
    },
  })
  return { name: 'toy', summary: 'Notes what it sees.', events: [asked, hinted], projections: [notes] }
}

/** All that a comparison tells. */
export async function differencesOf(open: Replay): Promise<Difference[]> {
  const found: Difference[] = []
  const { differing } = await open.compare((one) => void found.push(one))
  assert.equal(differing, found.length)
  return found
}

/** A live projection whose turns the test takes, and rebuilds of it. */
export async function openToy(t: TestContext) {
  const { url } = await createLogDatabase(t)
  const database = openDatabase({ url, connectionsMax: 6, applicationName: 'toy' })
  t.after(() => database.close())
  const poison = new Set<number>()
  const modules = [operations, notesModule((n) => poison.has(n))]
  const script = (text: string): Promise<void> => database.transaction({}, (tx) => tx.script(text))
  await script(TABLE)
  await registerLog(database, modules, [])
  const consumer = modules.flatMap(consumersOf).find(({ group }) => group === NOTES)
  assert.ok(consumer)
  const leases = createLeaseKeeper(database, 'one', [NOTES], createWakeups())
  await leases.tick()
  const context = { database, clock: systemClock, enqueue: async () => {}, leases, wakeups: createWakeups() }
  const said = new Map<string, number[]>()
  let n = 0
  const rows = (text: string) => database.query(statement(`test.${text.length}`, text))
  const notes = async (): Promise<Record<string, string>> => {
    const found = await database.query<{ key: string; said: string }>(
      statement('test.notes', 'select key, said from toy.note order by key'),
    )
    return Object.fromEntries(found.map((note) => [note.key, note.said]))
  }
  return {
    url,
    script,
    rows,
    notes,
    expected: () => Object.fromEntries([...said].sort().map(([name, numbers]) => [name, numbers.join(' ')])),
    async arrive(name: string, isPoison: boolean): Promise<void> {
      if (isPoison) poison.add(++n)
      else n++
      said.set(name, [...(said.get(name) ?? []), n])
      const event = ask(name, { n }, n % 2 === 0 ? hinted : asked)
      await database.transaction({}, (tx) => sql.append(tx, appendRows([encode(event)])))
    },
    async turn(total: number): Promise<void> {
      for (let batch = total; ; ) {
        try {
          const bounds = { perPartition: batch, total: batch, bytes: 1 << 20 }
          if ((await step(consumer, leases.of(NOTES), bounds, context)).events === 0) return
        } catch (error) {
          if (!(error instanceof PoisonEvent)) throw error
          const { rows: found } = error
          if (found.length === 1) await parkHead(consumer, leases.of(NOTES), { rows: found, error: 'poison' }, context)
          batch = 1
        }
      }
    },
    async cure(): Promise<void> {
      poison.clear()
      await requestRetry(database, NOTES, null)
      await retryParked(consumer, context)
    },
    /** Whether it made a difference. */
    async spoil(how: 'change' | 'remove' | 'add', name: string): Promise<boolean> {
      const before = JSON.stringify(await notes())
      if (how === 'change') await script(`update toy.note set said = 'spoiled' where key = '${name}'`)
      else if (how === 'remove') await script(`delete from toy.note where key = '${name}'`)
      else await script(`insert into toy.note values ('${name}', 'spoiled') on conflict do nothing`)
      return JSON.stringify(await notes()) !== before
    },
    /** A batch that holds the group's checkpoints until it is let go. */
    hold(until: Promise<void>) {
      const begun = Promise.withResolvers<void>()
      const ended = database.transaction({ timeoutMs: 0 }, async (tx) => {
        await tx.script(`set local idle_in_transaction_session_timeout = 0`)
        await sql.fence(tx, NOTES, leases.of(NOTES))
        begun.resolve()
        await until
      })
      return { begun: begun.promise, ended }
    },
    async replay(about: Partial<ReplayOptions> = {}) {
      const live = openSession(url)
      const history = createHistory({ database })
      const base = {
        modules: [operations, notesModule()],
        projection: NOTES,
        live,
        history,
        clock: systemClock,
        random: seededRandom(3),
      }
      const open = await openReplay({ ...base, ...about }).catch(async (error: unknown) => {
        await live.close()
        throw error
      })
      return { open, close: () => live.close() }
    },
  }
}

/** One session, kept: what a replay wants of the live database. */
export function openSession(url: string): Database {
  return openDatabase({ url, connectionsMax: 1, applicationName: 'replay', keepsIdle: true })
}
