import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { columnsOf, type Table } from './sql.ts'

/**
 * The tables of a projection as the database has them. @throws UsageError for one that cannot be rebuilt: it is not
 * there, has no primary key to tell rows apart by, or numbers its rows itself, which comes out otherwise every time.
 */
export async function describeTables(
  database: Pick<Database, 'query'>,
  group: string,
  names: readonly string[],
): Promise<Table[]> {
  if (names.length === 0) throw new UsageError(`${group} has no tables: there is nothing to rebuild.`)
  const tables: Table[] = []
  for (const name of names) tables.push(await describeTable(database, group, name))
  return tables
}

async function describeTable(database: Pick<Database, 'query'>, group: string, name: string): Promise<Table> {
  const cannot = (why: string): UsageError => new UsageError(`${group} cannot be rebuilt: ${name} ${why}.`)
  if (!/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/.test(name)) throw cannot('is not declared as schema.table')
  const columns = await columnsOf(database, name)
  if (columns.length === 0) throw cannot('is not there')
  const key = columns.filter((column) => column.is_key).map((column) => column.name)
  if (key.length === 0) throw cannot('has no primary key')
  const identity = columns.find(({ is_identity }) => is_identity)
  if (identity) throw cannot(`numbers its rows by ${identity.name}`)
  const written = columns.filter(({ is_generated }) => !is_generated)
  return {
    name,
    // One name for schema and table: two schemas may have tables of the same name.
    copy: `pg_temp."${name}"`,
    columns: written.map((column) => column.name),
    textual: written.filter(({ is_textual }) => is_textual).map((column) => column.name),
    key,
  }
}
