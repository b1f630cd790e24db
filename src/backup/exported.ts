import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import { readCompressed } from './compressed-file.ts'
import { badFiles, readIfThere } from './durable.ts'
import { fileOf, MANIFEST, readManifest } from './export-manifest.ts'
import { linesOf } from './lines.ts'

/** More than this, and a person has seen enough. */
const DAMAGES_MAX = 20

/** A line of an exported table: its cells by column, as PostgreSQL writes them. */
export type ExportedRow = {
  readonly file: string
  /** From 1 on; the first names the columns. */
  readonly line: number
  readonly cells: Readonly<Record<string, string | null>>
}

/** An export as somebody reads it who trusts nothing in it. */
export type OpenedExport = {
  /** What could not be read, a sentence each; grows as rows are read. */
  readonly damages: readonly string[]
  /**
   * The rows of a table in their order, one at a time; of all, or of those whose first column is this. Ends where the file
   * cannot be read any further.
   */
  rows(table: string, first?: string): AsyncIterable<ExportedRow>
}

/**
 * Opens an export to look into it, and compares every file with its sum.
 * @throws UsageError where the directory holds none at all.
 */
export async function openExport(directory: string): Promise<OpenedExport> {
  const damages = await damagedFiles(directory)
  const tell = (damage: string): void => {
    if (damages.length < DAMAGES_MAX) damages.push(damage)
  }
  return {
    damages,
    async *rows(table, first) {
      const file = `${table}.jsonl.zst`
      const wanted = first === undefined ? undefined : `[${JSON.stringify(first)},`
      let columns: readonly string[] = []
      let line = 0
      try {
        for await (const text of linesOf(readCompressed(join(directory, file)))) {
          line++
          if (line === 1) columns = columnsIn(text)
          else if (wanted === undefined || text.startsWith(wanted) || !text.startsWith('["')) {
            const cells = cellsIn(text, columns)
            if (cells) yield { file, line, cells }
            else tell(`${file}, line ${line}: it is not a row of ${columns.length} cells`)
          }
        }
        if (line === 0) tell(`${file} is empty`)
      } catch {
        tell(`${file} cannot be read after line ${line}`)
      }
    },
  }
}

async function damagedFiles(directory: string): Promise<string[]> {
  if ((await readIfThere(join(directory, MANIFEST))) === undefined) {
    throw new UsageError(`${directory} holds no export: name what \`millrace export\` has written.`)
  }
  try {
    const { tables } = await readManifest(directory)
    return await badFiles(directory, Object.fromEntries(tables.map((table) => [fileOf(table), table])))
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return [`${MANIFEST} is damaged, or of a newer version: files were not compared with it`]
  }
}

function columnsIn(line: string): readonly string[] {
  const { columns }: { columns: readonly string[] } = JSON.parse(line)
  return columns.map(String)
}

function cellsIn(line: string, columns: readonly string[]): ExportedRow['cells'] | undefined {
  const cells = parse(line)
  if (!Array.isArray(cells) || cells.length !== columns.length) return undefined
  return Object.fromEntries(columns.map((column, place) => [column, cells[place] ?? null]))
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
