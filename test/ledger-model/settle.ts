import { until } from '#harness/until'
import { type Database, statement } from '#kernel/database'

const OPEN = statement(
  'ledger_model.open',
  `select (
     select coalesce(sum(h.next_offset - k.next_offset), 0) from log.checkpoint k
     join log.partition h on h.topic = k.topic and h.partition = k.partition
   ) + (
     select count(*) from ledger.hold where state = 'held' and expires_at is not null
   ) as n`,
)

/** Waits until every projection has read the log to its end, and no hold is left that has a time. */
export async function settle(database: Database): Promise<void> {
  await until(
    'all is read, and all holds that end by themselves are over',
    async () => {
      const [row] = await database.query<{ n: bigint }>(OPEN)
      return BigInt(row?.n ?? 1) === 0n
    },
    120_000,
  )
}
