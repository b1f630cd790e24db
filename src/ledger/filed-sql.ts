import { statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'

export type FiledRow = Whose & {
  readonly source: string
  readonly entry: string
  readonly purpose: string
  /** Unix milliseconds. */
  readonly effectiveAt: number
  /** The payment or payout that it is of. */
  readonly payment: string | null
}

const ADD = statement(
  'ledger.add_filed',
  `insert into ledger.filed (tenant, mode, effective_at, source, entry, purpose, payment)
   select tenant, mode, to_timestamp(effective_ms / 1000.0), source, entry, purpose, payment
   from unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::text[], $7::text[])
     as f (tenant, mode, effective_ms, source, entry, purpose, payment)`,
)
/** Writes down entries for those who look for some. */
export async function addFiled(tx: Tx, rows: readonly FiledRow[]): Promise<void> {
  await tx.query(ADD, [
    rows.map(({ tenant }) => tenant),
    rows.map(({ mode }) => mode),
    rows.map(({ effectiveAt }) => effectiveAt),
    rows.map(({ source }) => source),
    rows.map(({ entry }) => entry),
    rows.map(({ purpose }) => purpose),
    rows.map(({ payment }) => payment),
  ])
}
