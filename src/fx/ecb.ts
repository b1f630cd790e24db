import { parseCurrency } from '#kernel/currency'
import { isDay } from '#kernel/day'
import { checkedRate, type RateFormat, RatesUnreadable, type RateTable } from './format.ts'

/**
 * The European Central Bank's euro reference rates, as it publishes them: `eurofxref-hist.csv`, all days with ISO dates, and
 * `eurofxref.csv`, one day with blanks and a date such as `21 November 2026`. Units of each currency for one euro; `N/A` where there
 * was none. Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
 */
export const ecb: RateFormat = {
  source: 'ecb',
  firstLine: 'Date,USD,JPY (the CSV file of the ECB)',
  isIn: ({ head: [date, ...columns] }) => date === 'Date' && columns.length > 0,
  read: readEcb,
}

function readEcb({ head, rows }: RateTable) {
  const [, ...columns] = head
  const wrong = columns.find((column) => !/^[A-Z]{3}$/.test(column))
  if (wrong !== undefined)
    throw new RatesUnreadable(`line 1 must name currencies by three capital letters, not ${wrong}`)
  const known = columns.filter((column) => parseCurrency(column) !== undefined)
  const rates = rows.flatMap(({ number, cells: [first = '', ...cells] }) => {
    const day = dayIn(first)
    if (day === undefined) throw new RatesUnreadable(`line ${number} must begin with a day, as in 2026-11-20`)
    if (cells.length !== columns.length) {
      throw new RatesUnreadable(`line ${number} has ${cells.length} rates, and the first line names ${columns.length}`)
    }
    return columns.flatMap((currency, column) => {
      const rate = cells[column] ?? 'N/A'
      if (!known.includes(currency) || rate === 'N/A') return []
      return [checkedRate(number, { base: 'EUR', currency, day, rate })]
    })
  })
  return { rates, unknown: columns.filter((column) => !known.includes(column)) }
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
