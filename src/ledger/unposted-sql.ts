import { type Database, statement } from '#kernel/database'

/** Unread events of one partition that are looked at: a scrape must not read a backlog of millions. */
const EVENTS_A_PARTITION_MAX = 1_000
const GROUP = 'ledger.post-payments'

const UNPOSTED = statement(
  'ledger.unposted',
  `select e.data ->> 'currency' as currency, sum(abs((e.data ->> 'delta')::bigint))::text as amount
   from log.unread_first($1, $2) u
   cross join lateral (select u.event::json -> 'data' as data) e
   where e.data ->> 'delta' is not null
   group by 1 order by 1`,
)

/**
 * Money that moved and is not booked yet, in minor units: of the oldest facts that the ledger has not read, up to
 * 1,000 of each partition, so that with more waiting it is at least so much.
 */
export async function unpostedMoney(
  database: Database,
): Promise<{ readonly group: string; readonly currency: string; readonly amount: bigint }[]> {
  const rows = await database.query<{ currency: string; amount: string }>(UNPOSTED, [GROUP, EVENTS_A_PARTITION_MAX])
  return rows.map(({ currency, amount }) => ({ group: GROUP, currency, amount: BigInt(amount) }))
}
