import { type Database, statement } from '#kernel/database'
import type { Whose } from './book-sql.ts'

export type PayoutRow = {
  id: string
  source: string
  accounts: string[]
  amounts: bigint[]
  currencies: string[]
  effective_at: Date
  booked_at: Date
  reversed_by: string | null
}

const FIND = statement(
  'ledger.find_payout',
  `select e.id, e.source, e.accounts, e.amounts, e.currencies, e.effective_at, e.booked_at, r.reversed_by
   from ledger.entry e
   left join ledger.reversal r on r.tenant = e.tenant and r.mode = e.mode and r.source = e.source
   where e.source = $1 and e.tenant = $2 and e.mode = $3`,
)
/** The entry of a payout, and what undid it; undefined where there is none. */
export async function findPayoutRow(
  database: Database,
  { tenant, mode }: Whose,
  source: string,
): Promise<PayoutRow | undefined> {
  return (await database.query<PayoutRow>(FIND, [source, tenant, mode]))[0]
}
