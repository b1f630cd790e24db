import { type Database, type Statement, statement, type Tx } from '#kernel/database'
import { identifier } from './sql.ts'

/** A table as it is exported and imported: by its columns, as text. */
export type Table = {
  readonly schema: string
  readonly table: string
  readonly columns: readonly string[]
  readonly types: readonly string[]
  readonly key: readonly string[]
  /** Tables that have to be filled before: `schema.table`. */
  readonly after: readonly string[]
}

const TABLES = statement(
  'backup.tables',
  `select n.nspname::text as schema, c.relname::text as table,
     array(select a.attname::text from pg_attribute a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum) as columns,
     array(select format_type(a.atttypid, a.atttypmod) from pg_attribute a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by a.attnum) as types,
     array(select a.attname::text from pg_index i
       cross join unnest(i.indkey::int2[]) with ordinality as k (number, place)
       join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
       where i.indrelid = c.oid and i.indisprimary order by k.place) as key,
     array(select distinct fn.nspname || '.' || f.relname from pg_constraint o
       join pg_class f on f.oid = o.confrelid join pg_namespace fn on fn.oid = f.relnamespace
       where o.conrelid = c.oid and o.contype = 'f' and f.oid <> c.oid) as after
   from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = any ($1::text[]) and c.relkind in ('r', 'p') and not c.relispartition
   order by n.nspname, c.relname`,
)
/** In an order in which they can be filled. */
export async function tablesOf(tx: Pick<Tx, 'query'>, schemas: readonly string[]): Promise<Table[]> {
  let left = await tx.query<Table>(TABLES, [schemas])
  const ordered: Table[] = []
  while (left.length > 0) {
    const waiting = new Set(left.map(nameOf))
    const ready = left.filter(({ after }) => !after.some((name) => waiting.has(name)))
    if (ready.length === 0) throw new Error('tables refer to each other in a circle')
    ordered.push(...ready)
    left = left.filter((table) => !ready.includes(table))
  }
  return ordered
}

export function nameOf({ schema, table }: Pick<Table, 'schema' | 'table'>): string {
  return `${schema}.${table}`
}

const FETCH = statement('backup.fetch', 'fetch forward 500 from backup_rows')
/** The rows in the order of their key, each an array of texts in JSON, so many at a time. */
export async function* rowsOf(tx: Tx, table: Table): AsyncGenerator<string[]> {
  const columns = table.columns.map((column) => `${identifier(column)}::text`).join(', ')
  const order = table.key.length === 0 ? '' : ` order by ${table.key.map(identifier).join(', ')}`
  await tx.script(
    `declare backup_rows no scroll cursor for select json_build_array(${columns})::text as row from ${quoted(table)}${order}`,
  )
  for (;;) {
    const rows = await tx.query<{ row: string }>(FETCH)
    if (rows.length === 0) break
    yield rows.map(({ row }) => row)
  }
  await tx.script('close backup_rows')
}

/** Writes rows that are given by column; whatever a column would make up by itself is taken as it comes. */
export function insertInto(table: Table, columns: readonly string[]): Statement {
  const typed = columns.map((column, place) => ({
    name: identifier(column),
    place: place + 1,
    type: table.types[table.columns.indexOf(column)],
  }))
  return statement(
    `backup.into_${nameOf(table)}`,
    `insert into ${quoted(table)} (${typed.map(({ name }) => name).join(', ')}) overriding system value
     select ${typed.map(({ place, type }) => `c${place}::${type}`).join(', ')}
     from unnest(${typed.map(({ place }) => `$${place}::text[]`).join(', ')})
       as given (${typed.map(({ place }) => `c${place}`).join(', ')})`,
  )
}

export type Sequence = {
  readonly schema: string
  readonly name: string
  readonly last: string
  readonly called: boolean
}

const SEQUENCES = statement(
  'backup.sequences',
  `select n.nspname::text as schema, c.relname::text as name
   from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where n.nspname = any ($1::text[]) and c.relkind = 'S' order by 1, 2`,
)
/** Read after the rows: sequences know no snapshots, and must be past all that was taken from them. */
export async function sequencesOf(tx: Tx, schemas: readonly string[]): Promise<Sequence[]> {
  const found: Sequence[] = []
  for (const { schema, name } of await tx.query<Pick<Sequence, 'schema' | 'name'>>(SEQUENCES, [schemas])) {
    const text = `select last_value::text as last, is_called as called from ${identifier(schema)}.${identifier(name)}`
    const [row] = await tx.query<Pick<Sequence, 'last' | 'called'>>(
      statement(`backup.sequence_${schema}.${name}`, text),
    )
    if (row) found.push({ schema, name, ...row })
  }
  return found
}

const SET_SEQUENCE = statement('backup.set_sequence', 'select setval($1::regclass, $2::bigint, $3)')
export async function setSequence(tx: Tx, { schema, name, last, called }: Sequence): Promise<void> {
  await tx.query(SET_SEQUENCE, [`${identifier(schema)}.${identifier(name)}`, last, called])
}

/** Whether it has any row. */
export async function isFilled(tx: Tx, table: Table): Promise<boolean> {
  const text = `select exists (select from ${quoted(table)}) as filled`
  const [row] = await tx.query<{ filled: boolean }>(statement(`backup.filled_${nameOf(table)}`, text))
  return row?.filled === true
}

const MIGRATIONS = statement(
  'backup.migrations',
  'select schema, file, checksum from millrace.migration order by schema, file',
)
export type AppliedMigration = { readonly schema: string; readonly file: string; readonly checksum: string }
export function migrationsIn(database: Pick<Database, 'query'>): Promise<AppliedMigration[]> {
  return database.query<AppliedMigration>(MIGRATIONS)
}

const HAS_ANY = statement('backup.has_any', "select to_regclass('millrace.migration') is not null as there")
/** Whether Millrace was ever here. */
export async function isMigrated(database: Database): Promise<boolean> {
  const [row] = await database.query<{ there: boolean }>(HAS_ANY)
  return row?.there === true
}

/** Work that waits for disks between its statements. */
export async function waitForUs(tx: Tx): Promise<void> {
  await tx.script('set local idle_in_transaction_session_timeout = 0')
}

function quoted({ schema, table }: Pick<Table, 'schema' | 'table'>): string {
  return `${identifier(schema)}.${identifier(table)}`
}
