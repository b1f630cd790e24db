import { type Currency, parseCurrency } from '#kernel/currency'
import type { Database } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import { formatMoney, money } from '#kernel/money'
import type { Whose } from './book-sql.ts'
import { type JournalRow, journalPage } from './journal-sql.ts'

const PAGE = 1_000
/** Reading ten million entries takes minutes. */
const READ_MS_MAX = 3_600_000

export type JournalFormat = 'hledger' | 'jsonl'

/** Writes every entry of a tenant and mode, as of one instant. Returns how many there were. */
export function writeJournal(
  database: Database,
  whose: Whose,
  format: JournalFormat,
  write: (text: string) => Promise<void>,
): Promise<number> {
  return database.transaction({ readOnly: true, isSnapshot: true, timeoutMs: READ_MS_MAX }, async (tx) => {
    let count = 0
    for (let after = ''; ; ) {
      const rows = await journalPage(tx, whose, after, PAGE)
      await write(rows.map(format === 'hledger' ? hledgerText : jsonText).join(''))
      count += rows.length
      const last = rows.at(-1)
      if (!last || rows.length < PAGE) return count
      after = last.source
    }
  })
}

/** A transaction as hledger's journal format has it: by day, amounts with all their decimals, the rest as tags. */
export function hledgerText(row: JournalRow): string {
  const { source, id, purpose, accounts, amounts, currencies, effective_at, booked_at } = row
  const day = effective_at.toISOString().slice(0, 10)
  const lines = accounts.map((account, place) => {
    const amount = formatMoney(money(BigInt(amounts[place] ?? '0'), currencyOf(currencies[place] ?? '')))
    return `    ${account}  ${amount}\n`
  })
  return `${day} ${purpose}  ; source:${source}, id:${id}, booked:${booked_at.toISOString()}\n${lines.join('')}\n`
}

function jsonText({
  source,
  id,
  purpose,
  accounts,
  amounts,
  currencies,
  effective_at,
  booked_at,
  traceparent,
}: JournalRow): string {
  const postings = accounts.map((account, place) => ({ account, amount: amounts[place], currency: currencies[place] }))
  const times = { effective_at: effective_at.toISOString(), booked_at: booked_at.toISOString() }
  return `${JSON.stringify({ id, source, purpose, ...times, postings, traceparent })}\n`
}

function currencyOf(text: string): Currency {
  const currency = parseCurrency(text)
  invariant(currency, 'a posting has a currency of the table')
  return currency
}
