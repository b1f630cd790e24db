import type { Writer } from 'hyparquet-writer'
import { exponentOf, parseCurrency } from '#kernel/currency'
import { invariant } from '#kernel/invariant'
import type { JournalRow } from './journal-sql.ts'

/** Postings that are in memory, and compressed, together. */
const ROW_GROUP = 32_768

// One row a posting. Amounts are 64-bit integers, as PostgreSQL has them: minor units, of which `exponent` says how many
// decimals of the currency they are.
const columns = {
  entry: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  source: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  purpose: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  place: { type: 'INT32' },
  account: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  amount: { type: 'INT64' },
  currency: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  exponent: { type: 'INT32' },
  effective_at: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  booked_at: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
} as const

type PostingRow = Record<keyof typeof columns, string | number | bigint | Date>

/** Writes entries as Apache Parquet, a row group at a time. Returns how many entries there were. */
export async function writeParquet(
  pages: AsyncIterable<readonly JournalRow[]>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  // Loaded when it is wanted: nobody else waits for it at the start.
  const { ByteWriter, parquetWriteRows } = await import('hyparquet-writer')
  let count = 0
  async function* rows(): AsyncGenerator<PostingRow> {
    for await (const page of pages) {
      count += page.length
      for (const row of page) yield* postingsIn(row)
    }
  }
  const required = { repetition_type: 'REQUIRED' } as const
  const named = Object.entries(columns).map(([name, about]) => ({ name, ...about, ...required }))
  await parquetWriteRows({
    writer: flushing(new ByteWriter(), write),
    rows: rows(),
    columns: named.map(({ name }) => ({ name, offsetIndex: false })),
    schema: [{ name: 'posting', num_children: named.length }, ...named],
    rowGroupSize: ROW_GROUP,
    createdBy: 'millrace',
  })
  return count
}

/** Hands over what was written, and begins its buffer anew. */
function flushing(writer: Writer & { index: number }, write: (bytes: Uint8Array) => Promise<void>): Writer {
  const flush = async (): Promise<void> => {
    const bytes = writer.getBytes().slice()
    writer.index = 0
    await write(bytes)
  }
  return Object.assign(writer, { flush, finish: flush })
}

function postingsIn({ id, source, purpose, accounts, amounts, currencies, ...times }: JournalRow): PostingRow[] {
  const { effective_at, booked_at } = times
  return accounts.map((account, place) => {
    const currency = parseCurrency(currencies[place] ?? '')
    invariant(currency, 'a posting has a currency of the table')
    const amount = BigInt(amounts[place] ?? '0')
    const about = { entry: id, source, purpose, effective_at, booked_at }
    return { ...about, place, account, amount, currency, exponent: exponentOf(currency) }
  })
}
