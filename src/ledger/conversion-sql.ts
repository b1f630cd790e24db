import { arrayLiteral } from '#kernel/array-literal'
import { type Database, statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import { type ConversionJson, conversionJson, positionMoves } from './conversion.ts'
import type { NewEntry } from './new-entry.ts'

const ADD = statement(
  'ledger.add_conversions',
  `with late as (
     select tenant, mode, day, base, currency from ledger.position
     where tenant = $1 and mode = $2
       and day >= (select min(to_timestamp(ms / 1000.0) at time zone 'UTC')::date from unnest($4::float8[]) as ms)
     order by day, base, currency for update
   ), forgotten as (
     delete from ledger.position p using late l
     where p.tenant = l.tenant and p.mode = l.mode and p.day = l.day and p.base = l.base and p.currency = l.currency
   )
   insert into ledger.conversion (tenant, mode, source, effective_at, currencies, amounts, details)
   select $1, $2, c.source, to_timestamp(c.effective_ms / 1000.0), c.currencies::text[], c.amounts::numeric[], c.details::json
   from unnest($3::text[], $4::float8[], $5::text[], $6::text[], $7::text[])
     as c (source, effective_ms, currencies, amounts, details)`,
)
/**
 * Keeps what entries have moved between positions, in the transaction that books them, and forgets the positions that were
 * kept without them. Nothing for entries that move none. Only under the lock of `openBook`: whoever keeps positions waits.
 */
export async function addConversions(tx: Tx, { tenant, mode }: Whose, entries: readonly NewEntry[]): Promise<void> {
  const moving = entries.flatMap((entry) => {
    const moves = positionMoves(entry.postings)
    return moves.length > 0 ? [{ entry, moves }] : []
  })
  if (moving.length === 0) return
  await tx.query(ADD, [
    tenant,
    mode,
    moving.map(({ entry }) => entry.source),
    moving.map(({ entry }) => entry.effectiveAt),
    moving.map(({ moves }) => arrayLiteral(moves.map(({ currency }) => currency))),
    moving.map(({ moves }) => arrayLiteral(moves.map(({ amount }) => amount))),
    moving.map(({ entry: { conversion } }) => (conversion ? JSON.stringify(conversionJson(conversion)) : null)),
  ])
}

const FIND = statement(
  'ledger.find_conversion',
  `select c.details, c.effective_at, e.id, e.booked_at
   from ledger.conversion c
   join ledger.entry e on e.source = c.source and e.tenant = c.tenant and e.mode = c.mode
   where c.tenant = $1 and c.mode = $2 and c.source = $3 and c.details is not null`,
)
export type ConversionRow = { details: ConversionJson; effective_at: Date; id: string; booked_at: Date }
/** As it was booked under the source; undefined where it was not. */
export async function findConversion(
  database: Database,
  { tenant, mode }: Whose,
  source: string,
): Promise<ConversionRow | undefined> {
  return (await database.query<ConversionRow>(FIND, [tenant, mode, source]))[0]
}

const DRIFT = statement(
  'ledger.position_drift',
  `with moved as (
     select c.tenant, c.mode, m.currency, sum(m.amount) as amount
     from ledger.conversion c cross join lateral unnest(c.currencies, c.amounts) as m (currency, amount)
     group by 1, 2, 3
   ), booked as (
     select tenant, mode, currency, -sum(amount) as amount
     from ledger.posting where account = 'fx:position:' || currency group by 1, 2, 3
   )
   select currency, coalesce(b.amount, 0) as booked, coalesce(m.amount, 0) as moved
   from booked b full join moved m using (tenant, mode, currency)
   where b.amount is distinct from m.amount
   order by currency limit 10`,
)
/** Positions that are not what conversions have moved. One snapshot: it may be asked while money is converted. */
export function positionDrift(database: Database): Promise<{ currency: string; booked: bigint; moved: bigint }[]> {
  return database.query<{ currency: string; booked: bigint; moved: bigint }>(DRIFT)
}
