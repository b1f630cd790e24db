import { type Database, statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'

const FIND = statement('ledger.find_period', 'select closed_through from ledger.period where tenant = $1 and mode = $2')
/** Unix milliseconds up to and with which nothing more is booked; undefined where everything is open. */
export async function closedThrough(database: Database | Tx, { tenant, mode }: Whose): Promise<number | undefined> {
  const [row] = await database.query<{ closed_through: Date }>(FIND, [tenant, mode])
  return row?.closed_through.getTime()
}

const WRITE = statement(
  'ledger.write_period',
  `insert into ledger.period (tenant, mode, closed_through) values ($1, $2, to_timestamp($3::float8 / 1000.0))
   on conflict (tenant, mode) do update set closed_through = excluded.closed_through`,
)
const OPEN = statement('ledger.open_period', 'delete from ledger.period where tenant = $1 and mode = $2')
/** Only under `lockAccounts`: nothing is booked meanwhile. */
export async function writePeriod(tx: Tx, { tenant, mode }: Whose, through: number | undefined): Promise<void> {
  if (through === undefined) await tx.query(OPEN, [tenant, mode])
  else await tx.query(WRITE, [tenant, mode, through])
}
