import { checkedRate, type FileRates, type RateFormat, RatesUnreadable, type RateTable } from './format.ts'

const columns = ['day', 'base', 'currency', 'rate']

/** Rates of anybody: a line for each, as in `2026-11-20,EUR,USD,1.0812`, dollars for a euro. */
export const plain: RateFormat = {
  source: undefined,
  firstLine: columns.join(),
  isIn: ({ head }) => head.join() === columns.join(),
  read: readPlain,
}

function readPlain({ rows }: RateTable): FileRates {
  const rates = rows.map(({ number, cells }) => {
    if (cells.length !== columns.length) throw new RatesUnreadable(`line ${number} must have ${columns.join()}`)
    const [day = '', base = '', currency = '', rate = ''] = cells
    return checkedRate(number, { base, currency, day, rate })
  })
  return { rates, unknown: [] }
}
