import { invariant } from '#kernel/invariant'

/** A line of an exported table: where it stands, and its cells by column, as PostgreSQL writes them. */
export type ExportedRow = {
  readonly file: string
  readonly line: number
  readonly cells: Readonly<Record<string, string | null>>
}

/** An export, as `verifyExport` is handed it. */
export type Exported = {
  /** What of it could not be read, a sentence each; grows as rows are read. */
  readonly damages: readonly string[]
  /** The rows of a table by its key; of all, or of those whose first column is this. */
  rows(table: string, first?: string): AsyncIterable<ExportedRow>
}

/** Of a row, with where it stands. */
export type Placed<Of> = Of & Pick<ExportedRow, 'file' | 'line'>

export function placeOf({ file, line }: Pick<ExportedRow, 'file' | 'line'>): string {
  return `${file}, line ${line}`
}

/** @throws InvariantViolation where the row has none. */
export function text({ cells }: ExportedRow, column: string): string {
  const cell = cells[column]
  invariant(typeof cell === 'string', `it has no ${column}`)
  return cell
}

export function textOrNone({ cells }: ExportedRow, column: string): string | undefined {
  const cell = cells[column] ?? undefined
  invariant(cell === undefined || typeof cell === 'string', `its ${column} is no text`)
  return cell
}

export function digits(row: ExportedRow, column: string): bigint {
  const cell = text(row, column)
  invariant(/^-?[0-9]{1,60}$/.test(cell), `its ${column} is no whole number`)
  return BigInt(cell)
}

export function small(row: ExportedRow, column: string): number {
  const number = Number(digits(row, column))
  invariant(Number.isSafeInteger(number), `its ${column} is too large`)
  return number
}

const INSTANT = /^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?\+00$/

/** Unix milliseconds; what is finer is cut off, as the driver does. */
export function instant(row: ExportedRow, column: string): number {
  const parts = INSTANT.exec(text(row, column))
  invariant(parts, `its ${column} is no time`)
  const [, day = '', time = '', fraction = ''] = parts
  const ms = Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}Z`)
  invariant(!Number.isNaN(ms), `its ${column} is no time`)
  return ms
}

/** PostgreSQL's text form of a flat array without nulls. */
export function texts(row: ExportedRow, column: string): string[] {
  const cell = text(row, column)
  if (cell === '{}') return []
  const items = [...cell.slice(1, -1).matchAll(/(?:"((?:[^"\\]|\\.)*)"|([^",{}\\]+))(?:,|$)/gs)]
  const whole = items.map(([item]) => item).join('')
  invariant(`{${whole}}` === cell && !whole.endsWith(','), `its ${column} is no list`)
  return items.map(([, quoted, plain = '']) => quoted?.replace(/\\(.)/gs, '$1') ?? plain)
}
