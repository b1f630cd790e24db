import { type Currency, parseCurrency } from '#kernel/currency'
import type { Database } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import { formatMoney, money } from '#kernel/money'
import type { Whose } from './book-sql.ts'
import { writeParquet } from './journal-parquet.ts'
import { type JournalRow, journalPage } from './journal-sql.ts'

const PAGE = 1_000
/** Reading ten million entries takes minutes. */
const READ_MS_MAX = 3_600_000

/** `parquet` has a row for each posting, the others an entry with all of them. */
type JournalFormat = 'hledger' | 'jsonl' | 'parquet'

/** Writes every entry of a tenant and mode, as of one instant. Returns how many there were. */
export function writeJournal(
  database: Database,
  whose: Whose,
  format: JournalFormat,
  write: (piece: string | Uint8Array) => Promise<void>,
): Promise<number> {
  const snapshot = { readOnly: true, isSnapshot: true, timeoutMs: READ_MS_MAX }
  return database.transaction(snapshot, (tx) => {
    const pages = pagesOf(tx, whose)
    return format === 'parquet' ? writeParquet(pages, write) : writeTexts(pages, texts[format], write)
  })
}

const texts = { hledger: hledgerText, jsonl: jsonText } as const

async function* pagesOf(tx: Pick<Database, 'query'>, whose: Whose): AsyncGenerator<readonly JournalRow[]> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const rows: readonly JournalRow[] = await journalPage(tx, whose, after, PAGE)
    yield rows
    after = rows.length < PAGE ? undefined : rows.at(-1)?.source
  }
}

async function writeTexts(
  pages: AsyncIterable<readonly JournalRow[]>,
  textOf: (row: JournalRow) => string,
  write: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0
  for await (const rows of pages) {
    await write(rows.map(textOf).join(''))
    count += rows.length
  }
  return count
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
