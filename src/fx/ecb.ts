import { parseCurrency } from '#kernel/currency'
import { isDay } from '#kernel/day'
import { mistakeIn, type Quote } from './quote.ts'

/** A file of rates that cannot be read: nothing of it is taken. */
export class RatesUnreadable extends Error {
  override name = 'RatesUnreadable'
}

export type EcbRates = {
  readonly quotes: readonly Quote[]
  /** Columns left out: codes that are no active ISO 4217 currency, as of those that the euro replaced. */
  readonly unknown: readonly string[]
}

/**
 * The European Central Bank's euro reference rates, as it publishes them: `eurofxref-hist.csv`, all days with ISO dates, and
 * `eurofxref.csv`, one day with blanks and a date such as `21 November 2026`. Units of each currency for one euro; `N/A` where there
 * was none. Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
 * @throws RatesUnreadable, naming the line.
 */
export function readEcb(text: string): EcbRates {
  if (text.startsWith('PK')) throw new RatesUnreadable('it is a ZIP archive: unpack it, and import the CSV file in it')
  const [head = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const [date, ...columns] = cellsOf(head)
  if (date !== 'Date' || columns.length === 0) {
    throw new RatesUnreadable('its first line must be as in Date,USD,JPY: the CSV file of the ECB has it so')
  }
  const wrong = columns.find((column) => !/^[A-Z]{3}$/.test(column))
  if (wrong !== undefined)
    throw new RatesUnreadable(`line 1 must name currencies by three capital letters, not ${wrong}`)
  const base = parseCurrency('EUR')
  const known = columns.map((column) => parseCurrency(column))
  const quotes = lines.flatMap((line, place) => {
    const [first = '', ...cells] = cellsOf(line)
    if (first === '' && cells.length === 0) return []
    const number = place + 2
    const day = dayIn(first)
    if (day === undefined) throw new RatesUnreadable(`line ${number} must begin with a day, as in 2026-11-20`)
    if (cells.length !== columns.length) {
      throw new RatesUnreadable(`line ${number} has ${cells.length} rates, and the first line names ${columns.length}`)
    }
    return known.flatMap((currency, column) => {
      const rate = cells[column] ?? 'N/A'
      if (currency === undefined || base === undefined || rate === 'N/A') return []
      const quote = { base, currency, day, rate }
      const mistake = mistakeIn(quote)
      if (mistake) throw new RatesUnreadable(`line ${number}, ${currency}: ${mistake.detail}`)
      return [quote]
    })
  })
  return { quotes, unknown: columns.filter((_, column) => known[column] === undefined) }
}

/** Without blanks around them. The ECB ends its lines with a comma: the empty cell after it is none. */
function cellsOf(line: string): string[] {
  const cells = line.split(',').map((cell) => cell.trim())
  return cells.at(-1) === '' ? cells.slice(0, -1) : cells
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

function dayIn(text: string): string | undefined {
  if (isDay(text)) return text
  const [, day = '', name = '', year = ''] = /^(\d{1,2}) ([A-Z][a-z]+) (\d{4})$/.exec(text) ?? []
  const month = months.indexOf(name) + 1
  const written = `${year}-${String(month).padStart(2, '0')}-${day.padStart(2, '0')}`
  return month > 0 && isDay(written) ? written : undefined
}
