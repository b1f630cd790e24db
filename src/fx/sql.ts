import { type Database, statement, type Tx } from '#kernel/database'

/** Whose rates: both empty for those of the installation. */
export type Owner = { readonly tenant: string; readonly mode: string }

/** As `rate` stands, in columns. */
export type RateRow = { readonly base: string; readonly currency: string; readonly day: string; readonly rate: string }

const LOCK = statement('fx.lock', `select pg_advisory_xact_lock(hashtext('fx.rate'))`)
/** Whoever records rates takes turns: what one finds unchanged stays so until it has written. */
export async function lockRates(tx: Tx): Promise<void> {
  await tx.query(LOCK)
}

const GIVEN = `unnest($4::text[], $5::text[], $6::text[], $7::text[]) as q (base, currency, day, rate)`
const DIFFERING = statement(
  'fx.differing_rates',
  `select q.base, q.currency, q.day, r.rate::text as before, q.rate as after
   from ${GIVEN}
   left join fx.rate r on r.tenant = $1 and r.mode = $2 and r.source = $3 and r.base = q.base and r.currency = q.currency
     and r.effective_on = q.day::date
   where r.rate is distinct from q.rate::numeric
   order by q.day, q.currency, q.base`,
)
export type ChangedRow = { base: string; currency: string; day: string; before: string; after: string }
export type DifferingRow = Omit<ChangedRow, 'before'> & { before: string | null }
/** Those of the rates that are not known as they are: `before` is null where nothing is known. */
export function differingRates(
  tx: Tx,
  owner: Owner,
  source: string,
  rates: readonly RateRow[],
): Promise<DifferingRow[]> {
  return tx.query<DifferingRow>(DIFFERING, valuesOf(owner, source, rates))
}

const ADD = statement(
  'fx.add_rates',
  `insert into fx.rate (tenant, mode, source, base, currency, effective_on, rate, recorded_at)
   select $1, $2, $3, q.base, q.currency, q.day::date, q.rate::numeric, log.now()
   from ${GIVEN}
   order by q.base, q.currency, q.day
   on conflict do nothing
   returning effective_on::text as day`,
)
/** The days of those that were new. */
export async function addRates(
  tx: Tx,
  owner: Owner,
  source: string,
  rates: readonly RateRow[],
): Promise<readonly string[]> {
  return (await tx.query<{ day: string }>(ADD, valuesOf(owner, source, rates))).map(({ day }) => day)
}

const REPLACE = statement(
  'fx.replace_rates',
  `update fx.rate r set rate = q.rate::numeric, recorded_at = log.now()
   from ${GIVEN}
   where r.tenant = $1 and r.mode = $2 and r.source = $3 and r.base = q.base and r.currency = q.currency
     and r.effective_on = q.day::date`,
)
export async function replaceRates(tx: Tx, owner: Owner, source: string, rates: readonly RateRow[]): Promise<void> {
  await tx.query(REPLACE, valuesOf(owner, source, rates))
}

function valuesOf({ tenant, mode }: Owner, source: string, rates: readonly RateRow[]) {
  return [
    tenant,
    mode,
    source,
    rates.map(({ base }) => base),
    rates.map(({ currency }) => currency),
    rates.map(({ day }) => day),
    rates.map(({ rate }) => rate),
  ]
}

/** Of the caller, or of the installation. */
const VISIBLE = `(r.tenant, r.mode) in (('', ''), ($1, $2))`

/** Of a question `a`: rates as published, their inverses, and crosses of two of one day, source and base. */
const CANDIDATES = `select r.tenant, r.source, r.effective_on as day, 1 as way, r.rate as multiplier, 1::numeric as divisor
     from fx.rate r
     where ${VISIBLE} and r.base = a.given and r.currency = a.wanted
       and r.effective_on between a.day::date - $3::int and a.day::date
     union all
     select r.tenant, r.source, r.effective_on, 2, 1::numeric, r.rate
     from fx.rate r
     where ${VISIBLE} and r.base = a.wanted and r.currency = a.given
       and r.effective_on between a.day::date - $3::int and a.day::date
     union all
     select r.tenant, r.source, r.effective_on, 3, t.rate, r.rate
     from fx.rate r
     join fx.rate t on t.tenant = r.tenant and t.mode = r.mode and t.source = r.source and t.base = r.base
       and t.effective_on = r.effective_on and t.currency = a.wanted
     where ${VISIBLE} and r.currency = a.given and r.effective_on between a.day::date - $3::int and a.day::date`
const ASKED = 'unnest($4::int[], $5::text[], $6::text[], $7::text[]) as a (place, given, wanted, day)'

const FIND = statement(
  'fx.find_rates',
  `select a.place, c.source, c.day::text, c.multiplier::text, c.divisor::text
   from ${ASKED}
   cross join lateral (
     ${CANDIDATES}
     order by tenant desc, day desc, way, source
     limit 1
   ) c`,
)
export type FoundRow = { place: number; source: string; day: string; multiplier: string; divisor: string }
export type Ask = { readonly from: string; readonly to: string; readonly day: string }
/** For each question, by its place, the rate that holds; none of those without one. */
export function findRates(
  database: Database,
  owner: Owner,
  asks: readonly Ask[],
  ageDaysMax: number,
): Promise<FoundRow[]> {
  return database.query<FoundRow>(FIND, askedValues(owner, asks, ageDaysMax))
}

const LAST = statement(
  'fx.last_days',
  `select a.place, c.day::text
   from ${ASKED}
   cross join lateral (select max(day) as day from (${CANDIDATES}) any_of_them) c
   where c.day is not null`,
)
/** More than a century: whatever there is. */
const ANY_AGE_DAYS = 40_000
/** For each question, by its place, the last day of which there is any rate, however old. */
export function lastDays(database: Database, owner: Owner, asks: readonly Ask[]) {
  return database.query<{ place: number; day: string }>(LAST, askedValues(owner, asks, ANY_AGE_DAYS))
}

function askedValues({ tenant, mode }: Owner, asks: readonly Ask[], ageDaysMax: number) {
  return [
    tenant,
    mode,
    ageDaysMax,
    asks.map((_, place) => place),
    asks.map(({ from }) => from),
    asks.map(({ to }) => to),
    asks.map(({ day }) => day),
  ]
}

const LIST = statement(
  'fx.list_rates',
  `select distinct on (r.tenant, r.source, r.base, r.currency)
     r.tenant, r.source, r.base, r.currency, r.effective_on::text as day, r.rate::text as rate
   from fx.rate r
   where ${VISIBLE} and r.effective_on between $4::date - $3::int and $4::date
   order by r.tenant, r.source, r.base, r.currency, r.effective_on desc`,
)
export type ListedRow = RateRow & { readonly tenant: string; readonly source: string }
/** The last of each source and pair on or before a day. */
export function listRates(
  database: Database,
  { tenant, mode }: Owner,
  day: string,
  ageDaysMax: number,
): Promise<ListedRow[]> {
  return database.query<ListedRow>(LIST, [tenant, mode, ageDaysMax, day])
}
