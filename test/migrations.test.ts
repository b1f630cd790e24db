import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { excepting, sources } from './repository.ts'

// A migration runs while the version before goes on working, and that version runs on its result: test/full/upgrade.test.ts
// tries it, and this allows only what is known to be harmless. Everything else is refused, the unknown included.

/** Released files, with the beginning of their SHA-256: installations compare it at every start. */
const released: Readonly<Record<string, string>> = {
  'src/access/migrations/001-access.sql': '8d4e3483c9381c3d',
  'src/delivery/migrations/001-delivery.sql': '749d72d0b2c528aa',
  'src/gateways/migrations/001-gateways.sql': 'aacfbe4839922b63',
  'src/kernel/migrations/001-vault.sql': '4500cea724b143b7',
  'src/ledger/migrations/001-ledger.sql': '4bfd3609be6d22c9',
  'src/log/migrations/001-log.sql': '5ff8f2de0c83439b',
  'src/log/migrations/002-functions.sql': '0fdf359f3078c099',
  'src/payments/migrations/001-payments.sql': '441508c9d8759e7b',
  'src/secrets/migrations/001-secrets.sql': 'e50ef5ad10d3134a',
  'src/webhooks/migrations/001-webhooks.sql': '6a2a9e06dfb24204',
}

const files = sources(/^src\/.*\/migrations\/.*\.sql$/)

test('a released migration is never changed or taken away', () => {
  const digests = new Map(files.map(({ path, text }) => [path, createHash('sha256').update(text).digest('hex')]))
  const changed = Object.entries(released).filter(([path, digest]) => !digests.get(path)?.startsWith(digest))
  assert.deepEqual(changed, [])
})

test('a new migration does nothing that the version before could not live with', () => {
  const found = files
    .filter(({ path }) => !Object.hasOwn(released, path))
    .flatMap(({ path, text }) => dangersIn(text).map((danger) => `${path}: ${danger}`))
  assert.deepEqual(
    excepting(found, {
      'src/ledger/migrations/005-conversions.sql': 'its triggers are on tables of its own',
      'src/ledger/migrations/006-templates.sql': 'its triggers are on a table of its own',
      'src/webhooks/migrations/002-kept-from.sql': 'its check is read over a table of one row an endpoint',
    }),
    [],
  )
})

const harmless = [
  `create table log.segment (a int); create unique index one on log.segment (a);`,
  `create or replace function log.take(a int) returns int language sql as $$ delete from log.record; select 1 $$;`,
  `alter table log.parked add column original json, add column edits int not null default 0;`,
  `alter table log.record set (autovacuum_vacuum_scale_factor = 0.02);`,
  `-- drop table log.record;\ncreate sequence log.numbers;`,
  `alter table t.t add column note text not null default 'a; drop table b';`,
  `grant execute on function log.take to public; comment on table t.t is 'drop';`,
]
const dangerous = [
  'drop table log.record',
  'drop function log.take(int)',
  'alter table log.record drop column key',
  'alter table log.record rename column key to name',
  'alter table log.record rename to records',
  'alter table log.record alter column key set not null',
  'alter table log.record alter column key type int',
  'alter table log.record add column n int not null',
  'alter table log.record add column at timestamptz default log.now()',
  'alter table log.record add column n bigint generated always as identity',
  'alter table log.record add column n int unique',
  'alter table log.record add column n int references log.topic',
  'alter table log.record add check (partition > 0)',
  'alter table log.record add primary key (key)',
  'create index record_type on log.record (type)',
  'create trigger on_record before insert on log.record for each row execute function log.no()',
  'lock table log.record',
  'truncate log.record',
  `update log.record set key = 'a'`,
  'delete from log.record',
  'vacuum full log.record',
  'do $$ begin drop table log.record; end $$',
  'revoke all on log.record from public',
]

test('the rule knows what is harmless from what is not', () => {
  assert.deepEqual(harmless.flatMap(dangersIn), [])
  assert.deepEqual(
    dangerous.filter((statement) => dangersIn(`create table a.a (b int); ${statement};`).length !== 1),
    [],
  )
})

/** New things, functions replaced under their signature, columns that are there at once, settings of storage. */
const allowed: readonly RegExp[] = [
  /^create (?:table|sequence|type|view|or replace view|function|or replace function) /,
  /^alter table [\w.]+ set \(/,
  /^(?:grant|comment on) /,
]
const addedColumns = /^alter table [\w.]+ (add column .*)$/
/** Of a constant default PostgreSQL takes a note and rewrites nothing; any other rewrites the table under a full lock. */
const constantColumn =
  /^add column (?:if not exists )?\w+ [\w ]+(?:\[\])?(?: not null default| default) (?:''|-?\d+|true|false)$/
const emptyColumn = /^add column (?:if not exists )?\w+ [a-z]+(?:\[\])?(?: null)?$/

/** The statements of a migration that are not on the list. */
function dangersIn(text: string): string[] {
  const statements = statementsOf(text)
  const made = new Set(statements.flatMap((one) => /^create table (?:if not exists )?([\w.]+)/.exec(one)?.[1] ?? []))
  return statements.filter((one) => !isHarmless(one, made))
}

function isHarmless(statement: string, made: ReadonlySet<string>): boolean {
  if (allowed.some((pattern) => pattern.test(statement))) return true
  // Making one keeps writers out for as long as it takes: only where nobody writes yet.
  const indexed = /^create (?:unique )?index \w+ on ([\w.]+)/.exec(statement)?.[1]
  if (indexed !== undefined) return made.has(indexed)
  const columns = addedColumns.exec(statement)?.[1]?.split(/, (?=add )/)
  return columns?.every((column) => constantColumn.test(column) || emptyColumn.test(column)) ?? false
}

/** Without comments, bodies of functions and what texts say; in small letters and single spaces. */
function statementsOf(text: string): string[] {
  return text
    .replace(/--[^\n]*/g, '')
    .replace(/(\$\w*\$).*?\1/gs, "''")
    .replace(/'(?:[^']|'')*'/g, "''")
    .toLowerCase()
    .split(';')
    .map((statement) => statement.replace(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '')
}
