import { type Database, type SqlValue, statement } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import type { HoldState } from './command.ts'

export type HoldRow = {
  id: string
  purpose: string
  debit: string
  credit: string
  amount: bigint
  currency: string
  state: HoldState
  placed_at: Date
  expires_at: Date | null
  ending_id: string | null
  ended_at: Date | null
}
const COLUMNS = 'id, purpose, debit, credit, amount, currency, state, placed_at, expires_at, ending_id, ended_at'

const FIND = statement(
  'ledger.find_hold',
  `select ${COLUMNS} from ledger.hold where tenant = $1 and mode = $2 and id = $3`,
)
export async function findHold(database: Database, { tenant, mode }: Whose, id: string): Promise<HoldRow | undefined> {
  return (await database.query<HoldRow>(FIND, [tenant, mode, id]))[0]
}

/** `placedAt` is a text of fixed width: a Date would lose its microseconds. */
export type HoldPlace = { readonly placedAt: string; readonly id: string }

const ORDER = 'order by placed_at desc, id desc'

/** One statement for each kind of question, of fixed texts: each side of an account has an index of its own. */
function pageOf(name: string, more: string) {
  const side = (column: 'debit' | 'credit') =>
    `(select * from ledger.hold where tenant = $1 and mode = $2 and ${column} = $3 ${more} ${ORDER} limit $4)`
  return statement(
    `ledger.holds_${name}`,
    `select ${COLUMNS}, to_char(placed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') as place
     from (${side('debit')} union all ${side('credit')}) h ${ORDER} limit $4`,
  )
}
const AFTER = 'and (placed_at, id) < ($5::timestamptz, $6)'
const HELD = "and state = 'held'"
const pages = {
  all: [pageOf('all', ''), pageOf('all_after', AFTER)],
  held: [pageOf('held', HELD), pageOf('held_after', `${HELD} ${AFTER}`)],
} as const

/** Holds on an account, on either side, the newest first; all of them, or those that are not over. */
export function holdPage(
  database: Database,
  { tenant, mode }: Whose,
  about: { account: string; which: keyof typeof pages; after: HoldPlace | undefined; limit: number },
) {
  const { account, which, after, limit } = about
  const values: SqlValue[] = [tenant, mode, account, limit, ...(after ? [after.placedAt, after.id] : [])]
  return database.query<HoldRow & { place: string }>(pages[which][after ? 1 : 0], values)
}
