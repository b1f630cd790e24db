import { arrayLiteral } from '#kernel/array-literal'
import { type Database, statement, type Tx } from '#kernel/database'

export type EntryRow = {
  readonly tenant: string
  readonly mode: string
  readonly source: string
  readonly id: string
  readonly purpose: string
  readonly accounts: readonly string[]
  /** Text, because JSON numbers end at 2^53. */
  readonly amounts: readonly string[]
  readonly currencies: readonly string[]
  readonly effective_ms: number
  readonly event_id: string
  readonly traceparent: string
}

const INSERT = statement(
  'ledger.insert_entries',
  `with clock as materialized (select log.now() as now)
   insert into ledger.entry (tenant, mode, source, id, purpose, accounts, amounts, currencies, effective_at,
     booked_at, event_id, traceparent)
   select tenant, mode, source, id, purpose, accounts::text[], amounts::bigint[], currencies::text[],
     to_timestamp(effective_ms / 1000.0), clock.now, event_id, traceparent
   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
     $9::float8[], $10::text[], $11::text[])
     as e (tenant, mode, source, id, purpose, accounts, amounts, currencies, effective_ms, event_id, traceparent)
   cross join clock
   on conflict (source, tenant, mode) do nothing
   returning id`,
)
/** Books entries whole; one whose source is booked already is passed over. Returns the ids of the new ones. */
export async function insertEntries(tx: Tx, entries: readonly EntryRow[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(INSERT, [
    entries.map(({ tenant }) => tenant),
    entries.map(({ mode }) => mode),
    entries.map(({ source }) => source),
    entries.map(({ id }) => id),
    entries.map(({ purpose }) => purpose),
    // Arrays of arrays would be flattened by unnest: an inner one travels as text.
    entries.map(({ accounts }) => arrayLiteral(accounts)),
    entries.map(({ amounts }) => arrayLiteral(amounts)),
    entries.map(({ currencies }) => arrayLiteral(currencies)),
    entries.map(({ effective_ms }) => effective_ms),
    entries.map(({ event_id }) => event_id),
    entries.map(({ traceparent }) => traceparent),
  ])
  return new Set(rows.map(({ id }) => id))
}

const ENTRIES_OF = statement(
  'ledger.entries_of',
  `select entry, source, account, amount, currency, effective_at, booked_at from ledger.posting
   where source like $3 || '/%' and tenant = $1 and mode = $2 order by booked_at, source, place`,
)
export type PostingRow = {
  entry: string
  source: string
  account: string
  amount: bigint
  currency: string
  effective_at: Date
  booked_at: Date
}
/** The postings of a payment or payout, as they were booked. */
export function postingsOf(database: Database, { tenant, mode, id }: { tenant: string; mode: string; id: string }) {
  return database.query<PostingRow>(ENTRIES_OF, [tenant, mode, id])
}

export type BalanceChange = {
  readonly tenant: string
  readonly mode: string
  readonly account: string
  readonly currency: string
  readonly stripe: number
  readonly debit: string
  readonly credit: string
  readonly entries: number
}

const ADD = statement(
  'ledger.add_to_balances',
  `insert into ledger.balance as b (tenant, mode, account, currency, stripe, debit, credit, entries)
   select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::numeric[], $7::numeric[], $8::bigint[])
   order by 1, 2, 3, 4, 5
   on conflict (tenant, mode, account, currency, stripe) do update
   set debit = b.debit + excluded.debit, credit = b.credit + excluded.credit, entries = b.entries + excluded.entries`,
)
export async function addToBalances(tx: Tx, changes: readonly BalanceChange[]): Promise<void> {
  await tx.query(ADD, [
    changes.map(({ tenant }) => tenant),
    changes.map(({ mode }) => mode),
    changes.map(({ account }) => account),
    changes.map(({ currency }) => currency),
    changes.map(({ stripe }) => stripe),
    changes.map(({ debit }) => debit),
    changes.map(({ credit }) => credit),
    changes.map(({ entries }) => entries),
  ])
}

export type BalanceRow = {
  account: string
  currency: string
  debit: bigint
  credit: bigint
  entries: bigint
  /** Of accounts that somebody opened. */
  type: string | null
  normal_side: 'debit' | 'credit' | null
}

const TRIAL_BALANCE = statement(
  'ledger.trial_balance',
  `select b.account, b.currency, b.debit, b.credit, b.entries, a.type, a.normal_side
   from (
     select account, currency, sum(debit) as debit, sum(credit) as credit, sum(entries) as entries
     from ledger.balance where tenant = $1 and mode = $2 group by account, currency
   ) b
   left join ledger.account a on a.tenant = $1 and a.mode = $2 and a.account = b.account
   order by b.account, b.currency`,
)
export function trialBalance(database: Database, tenant: string, mode: string): Promise<BalanceRow[]> {
  return database.query<BalanceRow>(TRIAL_BALANCE, [tenant, mode])
}

const ACCOUNT = statement(
  'ledger.account',
  `select b.account, b.currency, b.debit, b.credit, b.entries, a.type, a.normal_side
   from (
     select account, currency, sum(debit) as debit, sum(credit) as credit, sum(entries) as entries
     from ledger.balance where tenant = $1 and mode = $2 and account = $3 group by account, currency
   ) b
   left join ledger.account a on a.tenant = $1 and a.mode = $2 and a.account = b.account
   order by b.currency`,
)
export function accountBalances(
  database: Database,
  tenant: string,
  mode: string,
  account: string,
): Promise<BalanceRow[]> {
  return database.query<BalanceRow>(ACCOUNT, [tenant, mode, account])
}

const PAGE = statement(
  'ledger.account_page',
  `with page as (
     select account from ledger.balance
     where tenant = $1 and mode = $2 and account > $3 and ($4::text is null or currency = $4)
     group by account order by account limit $5
   )
   select b.account, b.currency, b.debit, b.credit, b.entries, a.type, a.normal_side
   from (
     select b.account, b.currency, sum(b.debit) as debit, sum(b.credit) as credit, sum(b.entries) as entries
     from page join ledger.balance b on b.tenant = $1 and b.mode = $2 and b.account = page.account
     where $4::text is null or b.currency = $4
     group by b.account, b.currency
   ) b
   left join ledger.account a on a.tenant = $1 and a.mode = $2 and a.account = b.account
   order by b.account, b.currency`,
)
/** The balances of the first accounts by name after one. */
export function accountPage(
  database: Database,
  about: { tenant: string; mode: string; after: string; currency: string | undefined; limit: number },
): Promise<BalanceRow[]> {
  const { tenant, mode, after, currency = null, limit } = about
  return database.query<BalanceRow>(PAGE, [tenant, mode, after, currency, limit])
}

const UNBALANCED = statement(
  'ledger.unbalanced',
  `select tenant, mode, currency, sum(amount) as difference from ledger.posting
   group by tenant, mode, currency having sum(amount) <> 0`,
)
const UNBALANCED_ENTRIES = statement(
  'ledger.unbalanced_entries',
  'select source from ledger.entry where not ledger.is_balanced(accounts, amounts, currencies) limit 10',
)
const DRIFT = statement(
  'ledger.drift',
  `with booked as (
     select tenant, mode, account, currency, sum(amount) as amount from ledger.posting group by 1, 2, 3, 4
   ), projected as (
     select tenant, mode, account, currency, sum(debit) - sum(credit) as amount from ledger.balance group by 1, 2, 3, 4
   ), unread as (
     select e.event ->> 'tenant' as tenant, e.event ->> 'mode' as mode, p.account, p.currency, sum(p.amount) as amount
     from log.unread('ledger.balances') u
     cross join lateral (select u.event::json as event) e
     cross join lateral json_to_recordset(e.event -> 'data' -> 'postings') as p (account text, amount numeric, currency text)
     where u.type = 'ledger.entry_posted'
     group by 1, 2, 3, 4
   ), shown as (
     select tenant, mode, account, currency, sum(amount) as amount
     from (select * from projected union all select * from unread) s group by 1, 2, 3, 4
   )
   select account, currency, b.amount as booked, s.amount as projected
   from booked b full join shown s using (tenant, mode, account, currency)
   where b.amount is distinct from s.amount
   order by account, currency limit 10`,
)
const COUNTS = statement(
  'ledger.counts',
  'select count(*) as entries, coalesce(sum(cardinality(accounts)), 0) as postings from ledger.entry',
)

/**
 * Everything `verify` asks of the tables. Each question is of one snapshot, and what the balances have not read yet is
 * added to them, so that it may be asked while payments flow.
 */
export async function integrity(database: Database) {
  const [counts] = await database.query<{ entries: bigint; postings: bigint }>(COUNTS)
  return {
    entries: counts?.entries ?? 0n,
    postings: counts?.postings ?? 0n,
    unbalanced: await database.query<{ currency: string; difference: bigint }>(UNBALANCED),
    unbalancedEntries: await database.query<{ source: string }>(UNBALANCED_ENTRIES),
    drift: await database.query<{ account: string; currency: string; booked: bigint | null; projected: bigint | null }>(
      DRIFT,
    ),
  }
}
