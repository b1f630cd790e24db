import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Database, Tx } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import type { Schema } from '#kernel/migrate'
import { explainError } from '#kernel/postgres/failure'
import { writeCompressed } from './compressed-file.ts'
import { makeDirectory, makeWhole } from './durable.ts'
import { type ExportedTable, type ExportManifest, fileOf, writeManifest } from './export-manifest.ts'
import { about } from './sql.ts'
import { migrationsIn, nameOf, rowsOf, sequencesOf, type Table, tablesOf, waitForUs } from './tables-sql.ts'

export type ExportOptions = {
  readonly database: Database
  readonly schemas: readonly Schema[]
  /** Must not be there yet. */
  readonly directory: string
  readonly progress?: (table: string, rows: number) => void
}

/** Who lives at the moment, which is nothing to take along. */
const LEFT_OUT = new Set(['log.member'])

/**
 * Writes everything that is needed to stand up again elsewhere, as of one instant, while the database is used. Killed at
 * any point, there is no directory of that name.
 */
export async function exportAll(options: ExportOptions): Promise<ExportManifest> {
  const { database, directory } = options
  if (existsSync(directory)) throw new UsageError(`${directory} is there already: name a directory to be made.`)
  const snapshot = { isSnapshot: true, readOnly: true, timeoutMs: 0 }
  try {
    await makeDirectory(dirname(directory))
    return await makeWhole(directory, (partial) =>
      database.transaction(snapshot, (tx) => writeAll(tx, options, partial)),
    )
  } catch (error) {
    throw explainError(error, directory)
  }
}

async function writeAll(
  tx: Tx,
  { schemas, database, progress = () => {} }: ExportOptions,
  partial: string,
): Promise<ExportManifest> {
  await waitForUs(tx)
  const names = schemas.map(({ name }) => name)
  const migrations = await migrationsIn(tx)
  const tables: ExportedTable[] = []
  for (const table of await tablesOf(tx, names)) {
    if (!LEFT_OUT.has(nameOf(table))) tables.push(await writeTable(tx, table, partial, progress))
  }
  const sequences = await sequencesOf(tx, names)
  const { now, version: postgres, masterKeyAnswer } = await about(database)
  return writeManifest(partial, { madeAt: now.toISOString(), postgres, migrations, masterKeyAnswer, tables, sequences })
}

async function writeTable(
  tx: Tx,
  table: Table,
  partial: string,
  progress: (table: string, rows: number) => void,
): Promise<ExportedTable> {
  const { schema, columns } = table
  const content = createHash('sha256')
  let rows = 0
  const hashed = (lines: readonly string[]): Buffer => {
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    content.update(bytes)
    return bytes
  }
  async function* lines(): AsyncGenerator<Buffer> {
    yield hashed([JSON.stringify({ table: nameOf(table), columns })])
    for await (const batch of rowsOf(tx, table)) {
      rows += batch.length
      progress(nameOf(table), rows)
      yield hashed(batch)
    }
  }
  const sum = await writeCompressed(join(partial, fileOf(table)), lines())
  return { schema, table: table.table, columns, rows, content: content.digest('hex'), ...sum }
}
