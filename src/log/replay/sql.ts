import { hash } from 'node:crypto'
import { type Database, type Statement, statement, type Tx } from '#kernel/database'

/** A table of a projection, and where its rebuilt rows are. Names are quoted as SQL wants them. */
export type Table = {
  readonly name: string
  readonly copy: string
  /** Those that are written: the rest follows from them. */
  readonly columns: readonly string[]
  /** Of the columns, those that have no equality of their own and are compared as text. */
  readonly textual: readonly string[]
  /** The primary key: what tells rows apart. */
  readonly key: readonly string[]
}

const COLUMNS = statement(
  'replay.columns',
  `select quote_ident(a.attname) as name, a.attgenerated <> '' as is_generated, a.attidentity <> '' as is_identity,
     coalesce(a.attnum = any (i.indkey), false) as is_key, a.atttypid = any ('{json,xml}'::regtype[]) as is_textual
   from pg_attribute a
   left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
   where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
   order by a.attnum`,
)
export type ColumnRow = {
  name: string
  is_generated: boolean
  is_identity: boolean
  is_key: boolean
  is_textual: boolean
}
/** None where there is no such table. */
export function columnsOf(database: Pick<Database, 'query'>, table: string): Promise<ColumnRow[]> {
  return database.query<ColumnRow>(COLUMNS, [table])
}

const CHECKPOINTS = statement(
  'replay.checkpoints',
  `select topic, partition, next_offset from log.checkpoint
   where grp = $1 and topic <> '' order by topic, partition`,
)
export type CheckpointRow = { topic: string; partition: number; next_offset: bigint }
export function checkpointsOf(database: Pick<Database, 'query'>, group: string): Promise<CheckpointRow[]> {
  return database.query<CheckpointRow>(CHECKPOINTS, [group])
}

const LOCKED_CHECKPOINTS = statement(
  'replay.locked_checkpoints',
  `select topic, partition, next_offset from log.checkpoint
   where grp = $1 and topic <> '' order by topic, partition for update`,
)
/** In the order in which every batch locks them. Until the commit nobody writes the group's tables. */
export function lockCheckpoints(tx: Tx, group: string): Promise<CheckpointRow[]> {
  return tx.query<CheckpointRow>(LOCKED_CHECKPOINTS, [group])
}

const PARKED = statement(
  'replay.parked',
  `select event ->> 'topic' as topic, (event ->> 'partition')::int as partition, (event ->> 'offset')::bigint as "offset"
   from log.parked where grp = $1`,
)
export type PlaceRow = { topic: string; partition: number; offset: bigint }
export function parkedPlaces(database: Pick<Database, 'query'>, group: string): Promise<PlaceRow[]> {
  return database.query<PlaceRow>(PARKED, [group])
}

/** Script: a table of this session alone that takes the same rows, and that the module's role may write. */
export function createCopy({ name, copy }: Pick<Table, 'name' | 'copy'>, role: string): string {
  return `create temporary table ${copy} (like ${name} including all); grant all on ${copy} to ${role}`
}

/** Script: without it the comparison is planned for a table of a few rows. */
export function analyzeCopy({ copy }: Table): string {
  return `analyze ${copy}`
}

/** The fold's own statement, on the copies. */
export function redirected({ name, text }: Statement, tables: readonly Table[]): Statement {
  return made(name, tables.reduce(onCopy, text))
}

function onCopy(text: string, { name, copy }: Table): string {
  return text.replace(new RegExp(`(?<![\\w."])${name.replace('.', '\\.')}(?![\\w"])`, 'g'), copy)
}

/** As text: a number beyond 2^53 stays what it is. Of rows that are in one table only, the other is null. */
export type DifferenceRow = { key: string; live: string | null; rebuilt: string | null }

/** Every row that is not the same in both, by their keys, a page at a time. */
export async function eachDifference(
  tx: Tx,
  table: Table,
  tell: (page: readonly DifferenceRow[]) => void,
): Promise<void> {
  await tx.script(openDifferences(table))
  for (let page = await nextDifferences(tx); page.length > 0; page = await nextDifferences(tx)) tell(page)
  await tx.script('close replay_differences')
}

function openDifferences(table: Table): string {
  const { name, copy, key } = table
  const names = key.map((column) => `'${column.replaceAll("'", "''")}', coalesce(l.${column}, c.${column})`)
  return `declare replay_differences no scroll cursor for
    select jsonb_build_object(${names.join(', ')})::text as key, to_jsonb(l)::text as live, to_jsonb(c)::text as rebuilt
    from ${name} l full join ${copy} c on ${equal('l', 'c', key)}
    where ${differ(table)}
    order by ${key.map((_, place) => `coalesce(l.${key[place]}, c.${key[place]})`).join(', ')}`
}

const NEXT_DIFFERENCES = statement('replay.next_differences', 'fetch 1000 from replay_differences')
function nextDifferences(tx: Tx): Promise<DifferenceRow[]> {
  return tx.query<DifferenceRow>(NEXT_DIFFERENCES)
}

const NEXT_ROWS = statement('replay.next_rows', 'fetch 1000 from replay_rows')
/** All rows of a table by their keys, as JSON, a page at a time. */
export async function eachPage(
  tx: Tx,
  from: string,
  key: readonly string[],
  take: (rows: readonly string[]) => void | Promise<void>,
): Promise<void> {
  await tx.script(
    `declare replay_rows no scroll cursor for
     select to_jsonb(r)::text as row from ${from} r order by ${key.join(', ')}`,
  )
  const next = () => tx.query<{ row: string }>(NEXT_ROWS)
  for (let page = await next(); page.length > 0; page = await next()) await take(page.map(({ row }) => row))
  await tx.script('close replay_rows')
}

/** Puts rows from elsewhere, as JSON, into the copy. */
export async function fillCopy(tx: Tx, { copy, columns }: Table, rows: readonly string[]): Promise<void> {
  const list = columns.join(', ')
  const text = `insert into ${copy} (${list}) select ${list} from jsonb_populate_recordset(null::${copy}, $1)`
  await tx.query(made('fill', text), [`[${rows.join(',')}]`])
}

export async function countOf(database: Pick<Database, 'query'>, from: string): Promise<bigint> {
  const [row] = await database.query<{ rows: bigint }>(made('count', `select count(*) as rows from ${from}`))
  return row?.rows ?? 0n
}

export async function emptyTable(tx: Tx, name: string): Promise<void> {
  await tx.query(made('empty', `delete from ${name}`))
}

const HAS_RECORDS = statement('replay.has_records', 'select exists (select from log.record) as has')
export async function hasRecords(database: Database): Promise<boolean> {
  const [row] = await database.query<{ has: boolean }>(HAS_RECORDS)
  return row?.has === true
}

/**
 * Makes the live table what the rebuilt one is, in one pass over both. Only rows that differ are written or removed, so that
 * putting a few right costs readers and vacuum next to nothing.
 */
export async function replaceRows(tx: Tx, table: Table): Promise<{ written: bigint; removed: bigint }> {
  const { name, copy, key, columns } = table
  const list = columns.join(', ')
  const changes = columns.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`)
  const text = `with differing as materialized (
      select ${key.map((column) => `coalesce(l.${column}, c.${column}) as ${column}`).join(', ')},
        c.${key[0]} is null as is_extra
      from ${name} l full join ${copy} c on ${equal('l', 'c', key)}
      where ${differ(table)}
    ), removed as (
      delete from ${name} l using differing d where d.is_extra and ${equal('l', 'd', key)} returning 1
    ), written as (
      insert into ${name} (${list})
      select ${columns.map((column) => `c.${column}`).join(', ')}
      from differing d join ${copy} c on ${equal('c', 'd', key)}
      where not d.is_extra
      order by ${key.map((column) => `d.${column}`).join(', ')}
      on conflict (${key.join(', ')}) do ${changes.length === 0 ? 'nothing' : `update set ${changes.join(', ')}`}
      returning 1
    )
    select (select count(*) from written) as written, (select count(*) from removed) as removed`
  const [row] = await tx.query<{ written: bigint; removed: bigint }>(made('replace', text))
  return row ?? { written: 0n, removed: 0n }
}

function differ({ columns, textual }: Table): string {
  const row = (of: string): string =>
    columns.map((column) => `${of}.${column}${textual.includes(column) ? '::text' : ''}`).join(', ')
  return `row(${row('l')}) is distinct from row(${row('c')})`
}

function equal(one: string, other: string, key: readonly string[]): string {
  return key.map((column) => `${one}.${column} = ${other}.${column}`).join(' and ')
}

/** Prepared by name, once a session: another table is another text, and wants another name, of 63 characters at most. */
function made(name: string, text: string): Statement {
  return statement(`replay.${name.slice(0, 40)}.${hash('sha256', text, 'hex').slice(0, 12)}`, text)
}
