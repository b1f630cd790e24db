import { type Database, statement, type Tx } from '#kernel/database'
import type { Account } from './account.ts'
import type { Whose } from './book-sql.ts'

const LOCK = statement('ledger.lock_accounts', "select pg_advisory_xact_lock(hashtext('ledger.account'))")
/** Waits until whoever books now has committed, and keeps others from it until this transaction has. */
export async function lockAccounts(tx: Tx): Promise<void> {
  await tx.query(LOCK)
}

export type AccountRow = {
  account: string
  type: Account['type']
  normal_side: Account['normalSide']
  currency: string | null
  parent: string | null
  floor: string | null
  ceiling: string | null
  is_guarded: boolean
  details: string | null
  opened_at: Date
  closed_at: Date | null
}
const COLUMNS = `account, type, normal_side, currency, parent, floor::text, ceiling::text, is_guarded, details, opened_at,
  closed_at`

const FIND = statement(
  'ledger.find_accounts',
  `select ${COLUMNS} from ledger.account where tenant = $1 and mode = $2 and account = any ($3) order by account`,
)
export function findAccounts(database: Database | Tx, { tenant, mode }: Whose, names: readonly string[]) {
  return database.query<AccountRow>(FIND, [tenant, mode, names])
}

const WRITE = statement(
  'ledger.write_account',
  `insert into ledger.account (tenant, mode, account, type, normal_side, currency, parent, floor, ceiling, is_guarded,
     details, opened_at, closed_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8::numeric, $9::numeric, $10, $11, log.now(), case when $12 then log.now() end)
   on conflict (tenant, mode, account) do update
   set floor = excluded.floor, ceiling = excluded.ceiling, is_guarded = excluded.is_guarded, details = excluded.details,
     closed_at = case when $12 then coalesce(account.closed_at, excluded.closed_at) end
   returning ${COLUMNS}`,
)
/** Opens or changes an account; only under `lockAccounts`. What it is, and its currency, stay as they were. */
export async function writeAccount(tx: Tx, { tenant, mode }: Whose, account: Account, details: string | null) {
  const { type, normalSide, currency = null, parent = null, floor, ceiling, isGuarded, isClosed } = account
  const limits = [floor, ceiling].map((limit) => (limit === undefined ? null : `${limit}`))
  const values = [
    tenant,
    mode,
    account.account,
    type,
    normalSide,
    currency,
    parent,
    ...limits,
    isGuarded,
    details,
    isClosed,
  ]
  const [row] = await tx.query<AccountRow>(WRITE, values)
  return row
}

const GUARD = statement(
  'ledger.guard_account',
  `with booked as (
     select currency, sum(debit - credit) as amount from ledger.balance
     where tenant = $1 and mode = $2 and account = $3 group by currency
     union all
     select p.currency, sum(p.amount)
     from log.unread('ledger.balances') u
     cross join lateral (select u.event::json as event) e
     cross join lateral json_to_recordset(e.event -> 'data' -> 'postings') as p (account text, amount numeric, currency text)
     where u.type = 'ledger.entry_posted' and e.event ->> 'tenant' = $1 and e.event ->> 'mode' = $2 and p.account = $3
     group by p.currency
   ), held as (
     select currency, case when debit = $3 then amount else 0 end as debit, case when credit = $3 then amount else 0 end as credit
     from ledger.hold where tenant = $1 and mode = $2 and state = 'held' and $3 in (debit, credit)
   )
   insert into ledger.guard (tenant, mode, account, currency, posted, held_debit, held_credit)
   select $1, $2, $3, s.currency, sum(s.posted), sum(s.held_debit), sum(s.held_credit)
   from (
     select currency, amount as posted, 0 as held_debit, 0 as held_credit from booked
     union all
     select currency, 0, debit, credit from held
   ) s
   group by s.currency
   on conflict (tenant, mode, account, currency) do nothing`,
)
/**
 * Merges what an account has into guards of its own: the stripes of its balance, what they have not read yet, and what
 * is held. Only under `lockAccounts`: nothing is booked meanwhile.
 */
export async function guardAccount(tx: Tx, { tenant, mode }: Whose, account: string): Promise<void> {
  await tx.query(GUARD, [tenant, mode, account])
}

const UNGUARD = statement(
  'ledger.unguard_account',
  'delete from ledger.guard where tenant = $1 and mode = $2 and account = $3',
)
export async function unguardAccount(tx: Tx, { tenant, mode }: Whose, account: string): Promise<void> {
  await tx.query(UNGUARD, [tenant, mode, account])
}

const GUARDS = statement(
  'ledger.guards_of',
  `select account, currency, posted::text, held_debit::text, held_credit::text from ledger.guard
   where tenant = $1 and mode = $2 and account = any ($3) order by account, currency`,
)
export type GuardRow = { account: string; currency: string; posted: string; held_debit: string; held_credit: string }
export function guardsOf(database: Database | Tx, { tenant, mode }: Whose, accounts: readonly string[]) {
  return database.query<GuardRow>(GUARDS, [tenant, mode, accounts])
}

const BOOKED = statement(
  'ledger.is_booked_on',
  `select exists (
     select from ledger.balance where tenant = $1 and mode = $2 and account = $3 and ($4::text is null or currency <> $4)
   ) as is_booked`,
)
/** Whether something was booked on it; with a currency given, in another than that. */
export async function isBookedOn(tx: Tx, { tenant, mode }: Whose, account: string, currency: string | null) {
  const [row] = await tx.query<{ is_booked: boolean }>(BOOKED, [tenant, mode, account, currency])
  return row?.is_booked ?? false
}
