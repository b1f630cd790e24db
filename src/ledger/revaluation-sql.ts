import { type Database, statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import type { Position, Trade } from './revaluation.ts'

/** Of whom, in which currency gains are told, and up to the end of which day. */
export type Valuation = Whose & { readonly base: string; readonly day: string }

const TRADES = statement(
  'ledger.trades',
  `select source, effective_at, currencies, amounts::text[] as amounts from ledger.conversion
   where tenant = $1 and mode = $2 and effective_at > coalesce(to_timestamp($3::float8 / 1000.0), '-infinity')
     and effective_at <= to_timestamp($4::float8 / 1000.0)
     and (effective_at, source) > (coalesce(to_timestamp($5::float8 / 1000.0), '-infinity'), $6::text)
   order by effective_at, source
   limit $7`,
)
type TradeRow = { source: string; effective_at: Date; currencies: string[]; amounts: string[] }
/** Unix milliseconds: after the one, where there is one, and up to and with the other. */
export type Stretch = { readonly after: number | undefined; readonly through: number }
/** What moved positions in a stretch of time, in the order in which it happened; a page after a trade. */
export async function tradesIn(
  database: Database,
  { tenant, mode }: Whose,
  { after, through }: Stretch,
  last: Trade | undefined,
  limit: number,
): Promise<Trade[]> {
  const values = [tenant, mode, after ?? null, through, last?.effectiveAt ?? null, last?.source ?? '', limit]
  const rows = await database.query<TradeRow>(TRADES, values)
  return rows.map(({ source, effective_at, currencies, amounts }) => ({
    source,
    effectiveAt: effective_at.getTime(),
    moves: currencies.map((currency, place) => ({ currency, amount: BigInt(amounts[place] ?? '0') })),
  }))
}

const COUNT = statement(
  'ledger.count_trades',
  `select count(*)::int as n from ledger.conversion
   where tenant = $1 and mode = $2 and effective_at > coalesce(to_timestamp($3::float8 / 1000.0), '-infinity')
     and effective_at <= to_timestamp($4::float8 / 1000.0)`,
)
export async function countTrades(tx: Tx, { tenant, mode }: Whose, { after, through }: Stretch): Promise<number> {
  const [row] = await tx.query<{ n: number }>(COUNT, [tenant, mode, after ?? null, through])
  return row?.n ?? 0
}

const KEPT = statement(
  'ledger.kept_positions',
  `select day::text as day, currency, quantity::text, cost::text, realised::text from ledger.position
   where tenant = $1 and mode = $2 and base = $3 and day = (
     select max(day) from ledger.position where tenant = $1 and mode = $2 and base = $3 and day <= $4::date
   )
   order by currency`,
)
type PositionRow = { day: string; currency: string; quantity: string; cost: string; realised: string }
/** The positions of the last day that were kept, and that day; undefined where none were. */
export async function keptPositions(database: Database | Tx, { tenant, mode, base, day }: Valuation) {
  const rows = await database.query<PositionRow>(KEPT, [tenant, mode, base, day])
  const [any] = rows
  if (!any) return undefined
  const positions: ReadonlyMap<string, Position> = new Map(
    rows.map(({ currency, quantity, cost, realised }) => [
      currency,
      { quantity: BigInt(quantity), cost: BigInt(cost), realised: BigInt(realised) },
    ]),
  )
  return { day: any.day, positions }
}

const KEEP = statement(
  'ledger.keep_positions',
  `insert into ledger.position (tenant, mode, day, base, currency, quantity, cost, realised)
   select $1, $2, $4::date, $3, p.currency, p.quantity, p.cost, p.realised
   from unnest($5::text[], $6::numeric[], $7::numeric[], $8::numeric[]) as p (currency, quantity, cost, realised)
   on conflict do nothing`,
)
/** Only under `lockAccounts`: no conversion that they do not count is booked meanwhile. */
export async function keepPositions(
  tx: Tx,
  { tenant, mode, base, day }: Valuation,
  positions: ReadonlyMap<string, Position>,
): Promise<void> {
  const all = [...positions.values()]
  await tx.query(KEEP, [
    tenant,
    mode,
    base,
    day,
    [...positions.keys()],
    all.map(({ quantity }) => quantity),
    all.map(({ cost }) => cost),
    all.map(({ realised }) => realised),
  ])
}

const LOCK = statement('ledger.lock_revaluation', `select pg_advisory_xact_lock(hashtext('ledger.revaluation'))`)
/** Who revalues takes turns: what one finds booked stays so until it has booked the rest. */
export async function lockRevaluation(tx: Tx): Promise<void> {
  await tx.query(LOCK)
}

const BOOKED = statement(
  'ledger.revalued',
  `select c.currency, r.day::text as last_day, r.realised_total::text as realised
   from unnest($4::text[]) as c (currency)
   cross join lateral (
     select day, realised_total from ledger.revaluation
     where tenant = $1 and mode = $2 and base = $3 and currency = c.currency
     order by day desc limit 1
   ) r`,
)
/** What of the realised gain in a currency is in the books, and since which day. */
export type Revalued = { readonly lastDay: string; readonly realised: bigint }
/** By currency; those that were never revalued are not in it. */
export async function revaluedBefore(
  tx: Tx,
  { tenant, mode, base }: Valuation,
  currencies: readonly string[],
): Promise<Map<string, Revalued>> {
  type Row = { currency: string; last_day: string; realised: string }
  const rows = await tx.query<Row>(BOOKED, [tenant, mode, base, currencies])
  return new Map(
    rows.map(({ currency, last_day, realised }) => [currency, { lastDay: last_day, realised: BigInt(realised) }]),
  )
}

type RateJson = { numerator: string; denominator: string; source: string; effectiveAt: number }
export type RevaluationRow = {
  readonly currency: string
  readonly realised_source: string | null
  readonly unrealised_source: string | null
  readonly quantity: string
  readonly cost: string
  readonly value: string
  readonly realised: string
  readonly realised_total: string
  readonly unrealised: string
  readonly rate: RateJson | null
}

const OF_DAY = statement(
  'ledger.revaluations_of_day',
  `select currency, realised_source, unrealised_source, quantity::text, cost::text, value::text, realised::text,
     realised_total::text, unrealised::text, rate
   from ledger.revaluation where tenant = $1 and mode = $2 and base = $3 and day = $4::date
   order by currency`,
)
export function revaluationsOf(tx: Tx, { tenant, mode, base, day }: Valuation): Promise<RevaluationRow[]> {
  return tx.query<RevaluationRow>(OF_DAY, [tenant, mode, base, day])
}

const ADD = statement(
  'ledger.add_revaluations',
  `insert into ledger.revaluation (tenant, mode, base, currency, day, realised_source, unrealised_source, quantity, cost,
     value, realised, realised_total, unrealised, rate)
   select $1, $2, $3, r.currency, $4::date, r.realised_source, r.unrealised_source, r.quantity, r.cost, r.value, r.realised,
     r.realised_total, r.unrealised, r.rate
   from json_to_recordset($5) as r (currency text, realised_source text, unrealised_source text, quantity numeric,
     cost numeric, value numeric, realised numeric, realised_total numeric, unrealised numeric, rate json)`,
)
export async function addRevaluations(
  tx: Tx,
  { tenant, mode, base, day }: Valuation,
  rows: readonly RevaluationRow[],
): Promise<void> {
  await tx.query(ADD, [tenant, mode, base, day, JSON.stringify(rows)])
}
