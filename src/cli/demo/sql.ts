import { type Database, statement } from '#kernel/database'

const OPEN = statement(
  'demo.open',
  `select
     (select count(*) from delivery.head) as deliveries,
     (select count(*) from log.timer where fired_at is null) as timers,
     (select count(*) from payments.payment
      where tenant = $1 and merchant not like 'mer_corpus%' and status in ('pending', 'unknown')) as undecided,
     (select coalesce(sum(h.next_offset - k.next_offset), 0) from log.checkpoint k
      join log.partition h on h.topic = k.topic and h.partition = k.partition) as unread`,
)
export type Open = { deliveries: bigint; timers: bigint; undecided: bigint; unread: bigint }
/** What is not done yet. */
export async function open(database: Database, tenant: string): Promise<Open | undefined> {
  const [row] = await database.query<Open>(OPEN, [tenant])
  return row
}

const HURRY = statement(
  'demo.hurry',
  'update log.timer set due_at = log.now() where fired_at is null and due_at > log.now()',
)
/** Lets every timer be due now: a gateway that has never heard of a payment is asked for minutes before it is believed. */
export async function hurry(database: Database): Promise<void> {
  await database.query(HURRY)
}

const STATUSES = statement(
  'demo.statuses',
  `select merchant = $2 as reported, status, count(*) as payments from payments.payment
   where tenant = $1 and merchant not like 'mer_corpus%' group by 1, 2`,
)
export function statuses(database: Database, tenant: string, merchant: string) {
  return database.query<{ reported: boolean; status: string; payments: bigint }>(STATUSES, [tenant, merchant])
}

const MOVED = statement(
  'demo.moved',
  `select purpose, currencies[1] as currency, sum(amounts[1]) as amount from ledger.entry
   where tenant = $1 and array_to_string(accounts, ' ') not like '%corpus%' group by 1, 2`,
)
/** What the ledger says moved; an entry's first posting is its debit, negative in a correction. */
export function moved(database: Database, tenant: string) {
  return database.query<{ purpose: string; currency: string; amount: bigint }>(MOVED, [tenant])
}

const EVENTS = statement(
  'demo.events',
  `select type, coalesce(data ->> 'account', '') as account, count(*) as events, count(distinct id) as different
   from log.event where tenant = $1 group by 1, 2`,
)
export function events(database: Database, tenant: string) {
  return database.query<{ type: string; account: string; events: bigint; different: bigint }>(EVENTS, [tenant])
}

const LATENCY = statement(
  'demo.latency',
  `select origin, count(*) as entries, percentile_cont(0.5) within group (order by ms) as p50,
     percentile_cont(0.99) within group (order by ms) as p99
   from (
     select r.type as origin, extract(epoch from l.booked_at - r.time)::float8 * 1000 as ms
     from ledger.entry l
     join log.event f on f.id = l.event_id
     join log.event r on r.id = f.correlation_id
     where l.tenant = $1 and l.purpose = 'capture' and array_to_string(l.accounts, ' ') not like '%corpus%'
   ) posted
   group by origin`,
)
/** From the append of what was accepted to the booking of the money it took, by how it came. */
export function latency(database: Database, tenant: string) {
  return database.query<{ origin: string; entries: bigint; p50: number; p99: number }>(LATENCY, [tenant])
}
