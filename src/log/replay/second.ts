import type { Database, Tx } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import * as sql from './sql.ts'

/** Refuses a database that holds anything else; what an earlier replay left in it goes. */
export async function emptySecond(
  second: Database,
  { group, tables }: { readonly group: string; readonly tables: readonly sql.Table[] },
): Promise<void> {
  if (await sql.hasRecords(second))
    throw new UsageError('The database to rebuild into has a log of its own: give it an empty one.')
  const isOurs = (await sql.checkpointsOf(second, group)).length > 0
  for (const { name } of tables) {
    if (!isOurs && (await sql.countOf(second, name)) > 0n) {
      throw new UsageError(`${name} is not empty in the database to rebuild into.`)
    }
  }
  await second.transaction({ timeoutMs: 0 }, async (tx) => {
    for (const { name } of tables.toReversed()) await sql.emptyTable(tx, name)
  })
}

/** Rows of the second database go into the temporary tables of this session, for comparing. */
export async function fetchCopies(tx: Tx, second: Database, tables: readonly sql.Table[]): Promise<void> {
  for (const { copy } of tables) await sql.emptyTable(tx, copy)
  await second.transaction({ readOnly: true, isSnapshot: true, timeoutMs: 0 }, async (there) => {
    for (const table of tables)
      await sql.eachPage(there, table.name, table.key, (rows) => sql.fillCopy(tx, table, rows))
  })
}
