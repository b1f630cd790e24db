import { type StatementAsked, type StatementRow, statementRows } from './statement-rows.ts'

const columns = ['line', 'effective_at', 'booked_at', 'source', 'currency', 'debit', 'credit', 'balance']
const convertedColumns = ['converted_currency', 'converted_debit', 'converted_credit', 'converted_balance']
const rateColumns = ['rate_numerator', 'rate_denominator', 'rate_source', 'rate_effective_at']

/** A whole statement: as rows, page by page, or as CSV (RFC 4180), with amounts in whole minor units. */
export function readStatement(asked: StatementAsked) {
  return { rows: () => statementRows(asked), csv: () => statementCsv(asked) }
}

export async function* statementCsv(asked: StatementAsked): AsyncGenerator<string> {
  let head = csvLine([...columns, ...(asked.converted ? [...convertedColumns, ...rateColumns] : [])])
  for await (const rows of statementRows(asked)) {
    yield head + rows.map((row) => csvLine(cellsOf(asked.of.currency, row))).join('')
    head = ''
  }
}

function cellsOf(currency: string, row: StatementRow): string[] {
  if (row.kind !== 'line') {
    const { kind, effective_at, balance, converted } = row
    const cells = [kind, effective_at, '', '', currency, '', '', balance]
    return converted ? [...cells, converted.currency, '', '', converted.balance, '', '', '', ''] : cells
  }
  const { effective_at, booked_at, source, debit, credit, balance, converted } = row
  const cells = ['line', effective_at, booked_at, source, currency, debit, credit, balance]
  if (!converted) return cells
  const { numerator, denominator, source: said, effective_at: day } = converted.rate
  return [...cells, converted.currency, converted.debit, converted.credit, '', numerator, denominator, said, day]
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map(cell).join(',')}\r\n`
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
