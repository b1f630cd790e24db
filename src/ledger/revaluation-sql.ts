import { type Database, statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import type { Trade } from './revaluation.ts'

const TRADES = statement(
  'ledger.trades',
  `select source, effective_at, currencies, amounts::text[] as amounts from ledger.conversion
   where tenant = $1 and mode = $2 and effective_at <= to_timestamp($3::float8 / 1000.0)
     and (effective_at, source) > (coalesce(to_timestamp($4::float8 / 1000.0), '-infinity'), $5::text)
   order by effective_at, source
   limit $6`,
)
type TradeRow = { source: string; effective_at: Date; currencies: string[]; amounts: string[] }
/** What moved positions up to an instant, in the order in which it happened; a page after a trade. */
export async function tradesUpTo(
  database: Database,
  { tenant, mode }: Whose,
  at: number,
  after: Trade | undefined,
  limit: number,
): Promise<Trade[]> {
  const values = [tenant, mode, at, after?.effectiveAt ?? null, after?.source ?? '', limit]
  const rows = await database.query<TradeRow>(TRADES, values)
  return rows.map(({ source, effective_at, currencies, amounts }) => ({
    source,
    effectiveAt: effective_at.getTime(),
    moves: currencies.map((currency, place) => ({ currency, amount: BigInt(amounts[place] ?? '0') })),
  }))
}

const LOCK = statement('ledger.lock_revaluation', `select pg_advisory_xact_lock(hashtext('ledger.revaluation'))`)
/** Who revalues takes turns: what one finds booked stays so until it has booked the rest. */
export async function lockRevaluation(tx: Tx): Promise<void> {
  await tx.query(LOCK)
}

const BOOKED = statement(
  'ledger.revalued',
  `select r.currency, max(r.day)::text as last_day,
     coalesce(sum(r.realised) filter (where v.source is null), 0)::text as realised,
     coalesce(sum(r.unrealised) filter (where v.source is null), 0)::text as unrealised
   from ledger.revaluation r
   left join ledger.reversal v on v.tenant = r.tenant and v.mode = r.mode and v.source = r.source
   where r.tenant = $1 and r.mode = $2 and r.base = $3
   group by r.currency`,
)
/** What of the gains in a currency is in the books, and since which day. */
export type Revalued = { readonly lastDay: string; readonly realised: bigint; readonly unrealised: bigint }
type RevaluedRow = { currency: string; last_day: string; realised: string; unrealised: string }
/** By currency; what was reversed is not in it. */
export async function revaluedBefore(tx: Tx, { tenant, mode }: Whose, base: string): Promise<Map<string, Revalued>> {
  const rows = await tx.query<RevaluedRow>(BOOKED, [tenant, mode, base])
  return new Map(
    rows.map(({ currency, last_day, realised, unrealised }) => [
      currency,
      { lastDay: last_day, realised: BigInt(realised), unrealised: BigInt(unrealised) },
    ]),
  )
}

type RateJson = { numerator: string; denominator: string; source: string; effectiveAt: number }
export type RevaluationRow = {
  readonly currency: string
  readonly source: string
  readonly quantity: string
  readonly cost: string
  readonly value: string
  readonly realised: string
  readonly unrealised: string
  readonly rate: RateJson | null
}

const OF_DAY = statement(
  'ledger.revaluations_of_day',
  `select currency, source, quantity::text, cost::text, value::text, realised::text, unrealised::text, rate
   from ledger.revaluation where tenant = $1 and mode = $2 and base = $3 and day = $4::date
   order by currency`,
)
export function revaluationsOf(tx: Tx, { tenant, mode }: Whose, base: string, day: string): Promise<RevaluationRow[]> {
  return tx.query<RevaluationRow>(OF_DAY, [tenant, mode, base, day])
}

const ADD = statement(
  'ledger.add_revaluations',
  `insert into ledger.revaluation (tenant, mode, base, currency, day, source, quantity, cost, value, realised, unrealised, rate)
   select $1, $2, $3, r.currency, $4::date, r.source, r.quantity, r.cost, r.value, r.realised, r.unrealised, r.rate
   from json_to_recordset($5) as r (currency text, source text, quantity numeric, cost numeric, value numeric,
     realised numeric, unrealised numeric, rate json)`,
)
export async function addRevaluations(
  tx: Tx,
  { tenant, mode }: Whose,
  { base, day }: { readonly base: string; readonly day: string },
  rows: readonly RevaluationRow[],
): Promise<void> {
  await tx.query(ADD, [tenant, mode, base, day, JSON.stringify(rows)])
}
