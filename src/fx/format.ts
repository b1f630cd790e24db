import { parseCurrency } from '#kernel/currency'
import { type DatedRate, mistakeIn } from './dated-rate.ts'

/** A file of rates that cannot be read: nothing of it is taken. */
export class RatesUnreadable extends Error {
  override name = 'RatesUnreadable'
}

export type FileRates = {
  readonly rates: readonly DatedRate[]
  /** Left out: codes that are no active ISO 4217 currency, as of those that the euro replaced. */
  readonly unknown: readonly string[]
}

/** How somebody publishes rates: the port for sources of any kind. A file is known by its first line. */
export type RateFormat = {
  /** Whose rates they are where nobody says otherwise; undefined: somebody has to. */
  readonly source: string | undefined
  /** Its first line, or how it begins, for who gave another. */
  readonly firstLine: string
  isIn(table: RateTable): boolean
  /** @throws RatesUnreadable, naming the line. */
  read(table: RateTable): FileRates
}

/** A file of values with commas between them. */
export type RateTable = {
  readonly head: readonly string[]
  readonly rows: readonly { readonly number: number; readonly cells: readonly string[] }[]
}

/** Reads a file in whichever of the formats it is. @throws RatesUnreadable, naming the line. */
export function readRates(
  text: string,
  formats: readonly RateFormat[],
): FileRates & { readonly source: string | undefined } {
  const table = tableOf(text)
  const format = formats.find((one) => one.isIn(table))
  if (format) return { ...format.read(table), source: format.source }
  const right = formats.map(({ firstLine }) => firstLine).join(', or ')
  throw new RatesUnreadable(`its first line must be as in ${right}`)
}

/** @throws RatesUnreadable for a rate that cannot be recorded. */
export function checkedRate(line: number, dated: { [name in keyof DatedRate]: string }): DatedRate {
  const [base, currency] = [parseCurrency(dated.base), parseCurrency(dated.currency)]
  const mistake = mistakeIn(dated)
  if (!mistake && base && currency) return { ...dated, base, currency }
  throw new RatesUnreadable(`line ${line}, ${dated.currency}: ${mistake?.detail}`)
}

/** Without blanks around values, empty lines, and the mark that some begin with. */
function tableOf(text: string): RateTable {
  const [first = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const rows = lines.map((line, place) => ({ number: place + 2, cells: cellsOf(line) }))
  return { head: cellsOf(first), rows: rows.filter(({ cells }) => cells.length > 0) }
}

/** The ECB ends its lines with a comma: the empty cell after it is none. */
function cellsOf(line: string): string[] {
  const cells = line.split(',').map((cell) => cell.trim())
  return cells.at(-1) === '' ? cells.slice(0, -1) : cells
}
