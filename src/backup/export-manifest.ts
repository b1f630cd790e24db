import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { type FileSum, readIfThere, sha256, writeDurably } from './durable.ts'
import type { AppliedMigration, Sequence } from './tables-sql.ts'

// An export is a directory: `manifest.json`, and for each table `log.record.jsonl.zst`, JSON Lines in Zstandard: the names
// of the columns, then each row as an array of texts as PostgreSQL writes and reads them, null where there is none.

const FORMAT = 1
export const MANIFEST = 'manifest.json'

export type ExportedTable = FileSum & {
  readonly schema: string
  readonly table: string
  readonly columns: readonly string[]
  readonly rows: number
  /** SHA-256 of the lines: the same for equal tables, however they were compressed. */
  readonly content: string
}

export type ExportManifest = {
  readonly format: number
  readonly madeAt: string
  /** The PostgreSQL it was read from, as in 180004. Any that Millrace runs on can take it. */
  readonly postgres: number
  /** What made the tables: a database of this version, or one that was brought on from it, can take them. */
  readonly migrations: readonly AppliedMigration[]
  readonly masterKeyAnswer: string | null
  readonly tables: readonly ExportedTable[]
  readonly sequences: readonly Sequence[]
}

export function fileOf({ schema, table }: Pick<ExportedTable, 'schema' | 'table'>): string {
  return `${schema}.${table}.jsonl.zst`
}

export async function writeManifest(directory: string, about: Omit<ExportManifest, 'format'>): Promise<ExportManifest> {
  const manifest: ExportManifest = { format: FORMAT, ...about }
  const check = sha256(JSON.stringify(manifest))
  await writeDurably(join(directory, MANIFEST), `${JSON.stringify({ ...manifest, check }, null, 2)}\n`)
  return manifest
}

/** @throws UsageError where there is none, it was changed, or only a newer version knows its form. */
export async function readManifest(directory: string): Promise<ExportManifest> {
  const text = await readIfThere(join(directory, MANIFEST))
  if (text === undefined)
    throw new UsageError(`${directory} holds no export: name what \`millrace export\` has written.`)
  const { check, ...manifest } = parse(text, directory)
  if (check !== sha256(JSON.stringify(manifest))) throw damaged(directory)
  if (manifest.format === FORMAT) return manifest
  throw new UsageError(`${directory} was exported by a newer version of Millrace: import it with that one.`)
}

function parse(text: string, directory: string): ExportManifest & { check: string } {
  try {
    return JSON.parse(text)
  } catch {
    throw damaged(directory)
  }
}

function damaged(directory: string): UsageError {
  return new UsageError(
    `${join(directory, MANIFEST)} is damaged: nothing was imported. Use another copy of the export.`,
  )
}
