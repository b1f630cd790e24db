import { type Database, statement, type Tx } from '#kernel/database'
import { PARTITIONS } from '#log'
import type { Whose } from './book-sql.ts'

export type LineRow = Whose & {
  readonly account: string
  readonly currency: string
  /** Unix milliseconds. */
  readonly effectiveAt: number
  readonly source: string
  readonly place: number
  /** Unix milliseconds: when the log took its event. */
  readonly bookedAt: number
  readonly amount: string
}

const ADD_LINES = statement(
  'ledger.add_lines',
  `insert into ledger.line (tenant, mode, account, currency, effective_at, source, place, booked_at, amount)
   select tenant, mode, account, currency, to_timestamp(effective_ms / 1000.0), source, place,
     to_timestamp(booked_ms / 1000.0), amount
   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[], $6::text[], $7::int[], $8::float8[],
     $9::numeric[]) as l (tenant, mode, account, currency, effective_ms, source, place, booked_ms, amount)`,
)
export async function addLines(tx: Tx, lines: readonly LineRow[]): Promise<void> {
  await tx.query(ADD_LINES, [
    lines.map(({ tenant }) => tenant),
    lines.map(({ mode }) => mode),
    lines.map(({ account }) => account),
    lines.map(({ currency }) => currency),
    lines.map(({ effectiveAt }) => effectiveAt),
    lines.map(({ source }) => source),
    lines.map(({ place }) => place),
    lines.map(({ bookedAt }) => bookedAt),
    lines.map(({ amount }) => amount),
  ])
}

export type DayRow = Whose & {
  readonly account: string
  readonly currency: string
  readonly effectiveDay: string
  readonly bookedDay: string
  readonly stripe: number
  readonly debit: string
  readonly credit: string
  readonly entries: number
}

const ADD_DAYS = statement(
  'ledger.add_days',
  `insert into ledger.day as d (tenant, mode, account, currency, effective_day, booked_day, stripe, debit, credit, entries)
   select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::date[], $7::int[], $8::numeric[],
     $9::numeric[], $10::bigint[])
   on conflict (account, tenant, mode, currency, effective_day, booked_day, stripe) do update
   set debit = d.debit + excluded.debit, credit = d.credit + excluded.credit, entries = d.entries + excluded.entries`,
)
export async function addDays(tx: Tx, days: readonly DayRow[]): Promise<void> {
  await tx.query(ADD_DAYS, [
    days.map(({ tenant }) => tenant),
    days.map(({ mode }) => mode),
    days.map(({ account }) => account),
    days.map(({ currency }) => currency),
    days.map(({ effectiveDay }) => effectiveDay),
    days.map(({ bookedDay }) => bookedDay),
    days.map(({ stripe }) => stripe),
    days.map(({ debit }) => debit),
    days.map(({ credit }) => credit),
    days.map(({ entries }) => entries),
  ])
}

/** Up to and with these instants, both; in Unix milliseconds. Undefined: whatever there is. */
export type AsOf = { readonly effectiveAt: number | undefined; readonly bookedAt: number | undefined }

/** One account where it is named, all of them otherwise. */
type Of = Whose & { readonly account: string | undefined }

const BALANCE_AT = statement(
  'ledger.balance_at',
  `with at as (
     select coalesce(to_timestamp($4::float8 / 1000.0), 'infinity') as effective,
       coalesce(to_timestamp($5::float8 / 1000.0), 'infinity') as booked
   ), day as (
     select d.* from ledger.day d, at
     where d.tenant = $1 and d.mode = $2 and ($3::text is null or d.account = $3)
       and d.effective_day <= (at.effective at time zone 'UTC')::date and d.booked_day <= (at.booked at time zone 'UTC')::date
   ), whole as (
     select d.account, d.currency, d.debit, d.credit, d.entries,
       (d.booked_day + 1)::timestamp at time zone 'UTC' - interval '1 millisecond' as booked_at
     from day d, at
     where d.effective_day < (at.effective at time zone 'UTC')::date and d.booked_day < (at.booked at time zone 'UTC')::date
   ), part as (
     select distinct d.account, d.currency, d.effective_day from day d, at
     where d.effective_day = (at.effective at time zone 'UTC')::date or d.booked_day = (at.booked at time zone 'UTC')::date
   ), line as (
     select l.account, l.currency, greatest(l.amount, 0) as debit, greatest(-l.amount, 0) as credit, 1 as entries,
       l.booked_at
     from part p cross join at
     -- Apart, so that each part is looked up by the whole key: joined, the table is read once for each part as long as the
     -- planner takes it for small.
     cross join lateral (
       select l.* from ledger.line l
       where l.tenant = $1 and l.mode = $2 and l.account = p.account and l.currency = p.currency
         and l.effective_at >= p.effective_day::timestamp at time zone 'UTC'
         and l.effective_at < (p.effective_day + 1)::timestamp at time zone 'UTC'
       offset 0
     ) l
     where l.effective_at <= at.effective and l.booked_at <= at.booked
       and ((l.effective_at at time zone 'UTC')::date = (at.effective at time zone 'UTC')::date
         or (l.booked_at at time zone 'UTC')::date = (at.booked at time zone 'UTC')::date)
   )
   select s.account, s.currency, sum(s.debit) as debit, sum(s.credit) as credit, sum(s.entries) as entries,
     max(s.booked_at) as last_booked_at, a.type, a.normal_side
   from (select * from whole union all select * from line) s
   left join ledger.account a on a.tenant = $1 and a.mode = $2 and a.account = s.account
   group by s.account, s.currency, a.type, a.normal_side
   order by s.account, s.currency`,
)
export type BalanceAtRow = {
  account: string
  currency: string
  debit: bigint
  credit: bigint
  entries: bigint
  /** When the last of it was booked; of what is summed up by days the end of the day. */
  last_booked_at: Date
  type: string | null
  normal_side: 'debit' | 'credit' | null
}
/** Balances as they were: of all that had an effect by one instant and was booked by another. */
export function balancesAt(database: Database, { tenant, mode, account }: Of, { effectiveAt, bookedAt }: AsOf) {
  return database.query<BalanceAtRow>(BALANCE_AT, [
    tenant,
    mode,
    account ?? null,
    effectiveAt ?? null,
    bookedAt ?? null,
  ])
}

// Of a partition without a block nothing is known: what it has may have been booked before what others have, and not be read.
const SEALED = statement(
  'ledger.sealed_through',
  'select case when count(*) >= $1 then min(first_ms) - 1 end as through from ledger.open_block',
)
/** Whatever was booked up to then is in a sealed block; Unix milliseconds. Undefined until every partition has had an entry. */
export async function sealedThrough(database: Database): Promise<number | undefined> {
  const [row] = await database.query<{ through: bigint | null }>(SEALED, [PARTITIONS])
  return row?.through == null ? undefined : Number(row.through)
}

const LINES = statement(
  'ledger.statement_lines',
  `select effective_at, booked_at, source, place, amount from ledger.line
   where tenant = $1 and mode = $2 and account = $3 and currency = $4
     and effective_at >= to_timestamp($5::float8 / 1000.0) and effective_at <= to_timestamp($6::float8 / 1000.0)
     and booked_at <= coalesce(to_timestamp($7::float8 / 1000.0), 'infinity')
     and (effective_at, source, place) > (coalesce(to_timestamp($8::float8 / 1000.0), '-infinity'), $9::text, $10::int)
   order by effective_at, source, place
   limit $11`,
)
export type StatementRow = { effective_at: Date; booked_at: Date; source: string; place: number; amount: bigint }
export type LineCursor = { readonly effectiveAt: number; readonly source: string; readonly place: number }
export function statementLines(
  database: Database,
  of: Whose & { readonly account: string; readonly currency: string },
  range: { readonly from: number; readonly through: number; readonly bookedAt: number | undefined },
  after: LineCursor | undefined,
  limit: number,
) {
  const { tenant, mode, account, currency } = of
  const { from, through, bookedAt = null } = range
  const cursor = [after?.effectiveAt ?? null, after?.source ?? '', after?.place ?? 0]
  const values = [tenant, mode, account, currency, from, through, bookedAt, ...cursor, limit]
  return database.query<StatementRow>(LINES, values)
}
