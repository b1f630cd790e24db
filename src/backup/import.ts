import { join } from 'node:path'
import type { Database, Tx } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { migrate, migrationsOf, type Schema } from '#kernel/migrate'
import { readCompressed } from './compressed-file.ts'
import { badFiles } from './durable.ts'
import { type ExportedTable, type ExportManifest, fileOf, readManifest } from './export-manifest.ts'
import { linesOf } from './lines.ts'
import { newLife } from './sql.ts'
import {
  insertInto,
  isFilled,
  isMigrated,
  migrationsIn,
  nameOf,
  setSequence,
  type Table,
  tablesOf,
  waitForUs,
} from './tables-sql.ts'

export type ImportOptions = {
  readonly database: Database
  readonly schemas: readonly Schema[]
  readonly directory: string
  readonly masterKeyAnswer: string
  readonly progress?: (table: string, rows: number) => void
}

export type Imported = { readonly rows: number; readonly tables: number; readonly doubted: number }

const BATCH_ROWS = 1_000
const BATCH_CHARACTERS = 4_000_000

/**
 * Fills an empty database from an export: makes the tables as they were when it was made, loads them in one transaction,
 * and then brings them up to date as an upgrade would. Killed at any point, the database is as empty as it was, or
 * complete.
 */
export async function importAll(options: ImportOptions): Promise<Imported> {
  const { database, schemas, directory } = options
  const manifest = await readManifest(directory)
  refuseOtherKey(manifest, options.masterKeyAnswer)
  refuseUnknown(manifest, schemas)
  await refuseDamaged(manifest, directory)
  const wanted = new Set(manifest.migrations.map(migrationName))
  await refuseNewer(database, wanted)
  await migrate(database, schemas, (schema, file) => wanted.has(migrationName({ schema, file })))
  const doubted = await database.transaction({ timeoutMs: 0 }, (tx) => load(tx, manifest, options))
  await migrate(database, schemas)
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
  return { rows, tables: manifest.tables.length, doubted }
}

function refuseOtherKey({ masterKeyAnswer }: ExportManifest, answer: string): void {
  if (masterKeyAnswer === null || masterKeyAnswer === answer) return
  throw new UsageError('The master key is not the one that was in use where this was exported: put that one in place.')
}

function migrationName({ schema, file }: { schema: string; file: string }): string {
  return `${schema}/${file}`
}

function refuseUnknown({ migrations }: ExportManifest, schemas: readonly Schema[]): void {
  const known = new Map(migrationsOf(schemas).map((one) => [migrationName(one), one.checksum]))
  for (const one of migrations) {
    const checksum = known.get(migrationName(one))
    if (checksum === one.checksum) continue
    throw new UsageError(
      checksum === undefined
        ? `The export has ${migrationName(one)}, which this version of Millrace does not know: use a newer one.`
        : `The export was made with another ${migrationName(one)} than this version of Millrace has.`,
    )
  }
}

async function refuseDamaged({ tables }: ExportManifest, directory: string): Promise<void> {
  const sums = Object.fromEntries(tables.map((table) => [fileOf(table), table]))
  const [damage] = await badFiles(directory, sums)
  if (damage !== undefined) throw new UsageError(`Nothing was imported: ${damage}. Use another copy of the export.`)
}

/** Tables of a newer version may miss what they were meant to be filled with on the way there. */
async function refuseNewer(database: Database, wanted: ReadonlySet<string>): Promise<void> {
  if (!(await isMigrated(database))) return
  const newer = (await migrationsIn(database)).find((one) => !wanted.has(migrationName(one)))
  if (newer) throw notEmpty()
}

function notEmpty(): UsageError {
  return new UsageError('This database holds Millrace already: import into one that is empty and was never started on.')
}

async function load(
  tx: Tx,
  manifest: ExportManifest,
  { directory, progress = () => {} }: ImportOptions,
): Promise<number> {
  await waitForUs(tx)
  const schemas = [...new Set(manifest.tables.map(({ schema }) => schema))]
  const tables = new Map((await tablesOf(tx, schemas)).map((table) => [nameOf(table), table]))
  for (const table of tables.values()) if (await isFilled(tx, table)) throw notEmpty()
  for (const exported of manifest.tables) {
    const table = tables.get(nameOf(exported))
    if (!table)
      throw new UsageError(`The export has a table ${nameOf(exported)}, which its own migrations do not make.`)
    const rows = await fill(tx, table, exported, directory, progress)
    if (rows !== exported.rows)
      throw new UsageError(
        `${fileOf(exported)} has ${rows} rows and should have ${exported.rows}: nothing was imported.`,
      )
  }
  for (const sequence of manifest.sequences) await setSequence(tx, sequence)
  return newLife(tx)
}

async function fill(
  tx: Tx,
  table: Table,
  { columns }: ExportedTable,
  directory: string,
  progress: (table: string, rows: number) => void,
): Promise<number> {
  const insert = insertInto(table, columns)
  let rows = 0
  for await (const batch of batchesOf(join(directory, fileOf(table)))) {
    await tx.query(
      insert,
      columns.map((_, column) => batch.map((row) => row[column] ?? null)),
    )
    rows += batch.length
    progress(nameOf(table), rows)
  }
  return rows
}

/** The rows of a file, without the line that names their columns. */
async function* batchesOf(path: string): AsyncGenerator<(string | null)[][]> {
  let batch: (string | null)[][] = []
  let characters = 0
  let isFirst = true
  for await (const line of linesOf(readCompressed(path))) {
    if (!isFirst) batch.push(JSON.parse(line))
    isFirst = false
    characters += line.length
    if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}
