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
type Counted = { readonly events: bigint; readonly different: bigint }
/** How many events of a type there are on the log, of one gateway account where one is named. */
export type EventsOf = (type: string, account?: string) => Counted
export async function events(database: Database, tenant: string): Promise<EventsOf> {
  const rows = await database.query<Counted & { type: string; account: string }>(EVENTS, [tenant])
  return (type, account = '') =>
    rows.find((row) => row.type === type && row.account === account) ?? { events: 0n, different: 0n }
}

const ACQUIRED = statement(
  'demo.acquired',
  `select currencies[1] as currency,
     coalesce(sum(case when accounts[1] = $2 then amounts[1] else amounts[2] end) filter (where purpose <> 'payout'), 0)
       as earned,
     coalesce(sum(amounts[1]) filter (where purpose = 'payout'), 0) as paid_out
   from ledger.entry
   where tenant = $1 and $2 = any (accounts)
   group by 1`,
)
/** What the ledger says that a gateway came to owe us, and has paid out. */
export function acquired(database: Database, tenant: string, account: string) {
  return database.query<{ currency: string; earned: bigint; paid_out: bigint }>(ACQUIRED, [
    tenant,
    `gateway:${account}:receivable`,
  ])
}

const DOUBTS = statement(
  'demo.doubts',
  `select
     count(*) filter (where type = 'gateway.call_answered' and call <> 'find' and outcome = 'unknown') as calls,
     count(*) filter (where type = 'gateway.call_answered' and call = 'find') as questions,
     count(distinct key) filter (where type = 'payment.status_changed' and turned = 'unknown') as payments
   from (
     select type, key, data ->> 'call' as call, data ->> 'outcome' as outcome, data ->> 'to' as turned
     from log.event
     where tenant = $1 and type in ('gateway.call_answered', 'payment.status_changed')
   ) told`,
)
export type Doubts = { readonly calls: bigint; readonly questions: bigint; readonly payments: bigint }
/** Calls whose fate the gateway left open, what it was asked about them, and the payments that were unknown for it. */
export async function doubts(database: Database, tenant: string): Promise<Doubts> {
  const [row] = await database.query<Doubts>(DOUBTS, [tenant])
  return row ?? { calls: 0n, questions: 0n, payments: 0n }
}

const PUBLIC = statement(
  'demo.public',
  `select key, array_agg(id order by topic, "offset") as ids from log.event
   where tenant = $1 and mode = 'test' and topic in ('payments', 'payouts') group by key`,
)
/** Facts of each payment and payout, in the order of the log: what a subscriber to all of them is to be told. */
export function publicEvents(database: Database, tenant: string) {
  return database.query<{ key: string; ids: string[] }>(PUBLIC, [tenant])
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
