import type { OpenedFile, Row } from './files.ts'
import type { WaitedFiles } from './in-worker.ts'
import { createKeyIndex, type KeyIndex } from './key-index.ts'
import type { RowBoxes, Spooled } from './row-box.ts'

/** A file of the spool, as far as it is kept in memory. */
export type SpoolFile = {
  readonly name: string
  readonly keys: KeyIndex
  events: number
  bytes: number
  /** When the oldest that waits was accepted, or a little earlier; Unix milliseconds. */
  oldestAt: number | undefined
  /** The highest sequence given so far. */
  last: number
  /** Rows kept apart, and notes of what is missing. */
  corrupt: number
}

export type WaitingRow = Spooled & { readonly sequence: number; readonly bytes: number }

/** What one commit may carry: within the door's own limits for a group. */
const BATCH = { rows: 256, bytes: 2 * 1024 * 1024 } as const

/** Distinct keys of what was accepted together. */
export function keysOf({ prepared }: Pick<Spooled, 'prepared'>): string[] {
  return [...new Set(prepared.events.map(({ key }) => key))]
}

export function emptyFile({ name, last }: Pick<OpenedFile, 'name' | 'last'>): SpoolFile {
  return { name, last, keys: createKeyIndex(), events: 0, bytes: 0, oldestAt: undefined, corrupt: 0 }
}

/**
 * Reads all of a file that somebody left: what waits in it, and what of it cannot be read any more. Rows are only ever
 * taken from the front, so a hole between two is a row that was lost.
 */
export async function surveyFile(opened: OpenedFile, files: WaitedFiles, boxes: RowBoxes): Promise<SpoolFile> {
  const file = emptyFile(opened)
  let before: number | undefined
  for (;;) {
    const rows = await files.read(opened.name, before ?? 0, BATCH)
    if (rows.length === 0) break
    for (const { sequence } of rows) {
      await noteHoles(opened.name, before, sequence, files)
      before = sequence
    }
    const { readable, damaged } = openAll(rows, opened.name, boxes)
    if (damaged.length > 0) await files.setAside(opened.name, damaged, 'damaged')
    for (const row of readable) count(file, row)
  }
  file.corrupt = await files.asides(opened.name)
  return file
}

/** The next rows of a file in order; those that cannot be opened are set aside. */
export async function readNext(file: SpoolFile, files: WaitedFiles, boxes: RowBoxes): Promise<WaitingRow[]> {
  for (let after = 0; ; ) {
    const rows = await files.read(file.name, after, BATCH)
    const { readable, damaged } = openAll(rows, file.name, boxes)
    if (damaged.length > 0) {
      await files.setAside(file.name, damaged, 'damaged')
      file.corrupt += damaged.length
    }
    after = rows.at(-1)?.sequence ?? after
    if (readable.length > 0 || rows.length === 0) return readable
  }
}

/** A row is in the file. */
export function count(file: SpoolFile, row: WaitingRow): void {
  const keys = keysOf(row)
  file.keys.begin(keys)
  file.keys.place(keys, row.sequence)
  add(file, row)
}

export function add(file: SpoolFile, { at, prepared, bytes }: Omit<WaitingRow, 'sequence'>): void {
  file.events += prepared.events.length
  file.bytes += bytes
  file.oldestAt ??= at
}

/** A row is no longer in the file. */
export function discount(file: SpoolFile, row: WaitingRow): void {
  file.keys.end(keysOf(row), row.sequence)
  file.events -= row.prepared.events.length
  file.bytes -= row.bytes
  file.oldestAt = file.events === 0 ? undefined : row.at
}

function openAll(rows: readonly Row[], name: string, boxes: RowBoxes) {
  const readable: WaitingRow[] = []
  const damaged: number[] = []
  for (const row of rows) {
    const spooled = boxes.open(row, name)
    if (spooled) readable.push({ ...spooled, sequence: row.sequence, bytes: row.box.length })
    else damaged.push(row.sequence)
  }
  return { readable, damaged }
}

/** More than these are one hole: told once each would be a list nobody reads. */
const HOLES_NOTED_MAX = 100

async function noteHoles(name: string, before: number | undefined, next: number, files: WaitedFiles): Promise<void> {
  if (before === undefined) return
  for (let lost = before + 1; lost < next && lost <= before + HOLES_NOTED_MAX; lost += 1) {
    await files.note(name, lost, 'missing')
  }
}
