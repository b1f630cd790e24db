import { type Database, statement, type Tx } from '#kernel/database'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { NewDelivery } from '#log'

export type Delivery = {
  readonly id: string
  readonly destination: string
  readonly key: string
  readonly payload: unknown
  /** Unix milliseconds. */
  readonly notAfter: number | null
  /** Attempts begun, this one included. */
  readonly attempts: number
  readonly firstAttemptAt: number
  /** The event that asked for it. */
  readonly cause: {
    readonly id: string
    readonly key: string
    readonly tenant: TenantId
    readonly mode: Mode
    readonly traceparent: string
    readonly correlationId: string
  }
}

const ENQUEUE = statement('delivery.enqueue', 'select delivery.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)')
/** Writes deliveries in the caller's transaction. Safe to repeat: an id that is known stays as it is. */
export async function enqueue(tx: Tx, deliveries: readonly NewDelivery[]): Promise<void> {
  await tx.query(ENQUEUE, [
    deliveries.map(({ id }) => id),
    deliveries.map(({ destination }) => destination),
    deliveries.map(({ key }) => key),
    deliveries.map(({ payload }) => JSON.stringify(payload)),
    deliveries.map(({ notAfter }) => notAfter),
    deliveries.map(({ cause }) => cause.tenant),
    deliveries.map(({ cause }) => cause.mode),
    deliveries.map(({ cause }) => cause.traceparent),
    deliveries.map(({ cause }) => cause.correlationId),
    deliveries.map(({ cause }) => cause.id),
  ])
}

const BUSY = statement(
  'delivery.busy',
  `with recursive busy as (
     (select h.destination, h.ready_at from delivery.head h
      where h.destination >= $1 and h.destination < $2 and not ($3::jsonb ? h.delivery_id)
      order by h.destination, h.ready_at limit 1)
     union all
     select n.destination, n.ready_at from busy b
     cross join lateral (
       select h.destination, h.ready_at from delivery.head h
       where h.destination > b.destination and h.destination < $2 and not ($3::jsonb ? h.delivery_id)
       order by h.destination, h.ready_at limit 1) n
   )
   select destination, extract(epoch from ready_at - log.now())::float8 * 1000 as in_ms from busy`,
)
export type Busy = { readonly destination: string; readonly in_ms: number }
/**
 * Destinations with a head that is not under way, each with how long until the first of them is ready, in ms: a step
 * down the index for each, however much waits there. What is under way comes as the keys of an object, which are
 * searched and not gone through.
 */
export function busyDestinations(
  tx: Tx,
  { from, to }: { readonly from: string; readonly to: string },
  underWay: UnderWay,
): Promise<Busy[]> {
  return tx.query<Busy>(BUSY, [from, to, underWay])
}

/** Ids of deliveries, as the keys of a JSON object. */
export type UnderWay = string
export function underWayOf(ids: Iterable<string>): UnderWay {
  return JSON.stringify(Object.fromEntries([...ids].map((id) => [id, 0])))
}

type Row = {
  id: string
  destination: string
  key: string
  payload: unknown
  not_after: Date | null
  attempts: number
  first_attempt_at: Date
  tenant: string
  mode: string
  traceparent: string
  correlation_id: string
  cause_id: string
}

// Said as what it is not: `state = 'pending'` has the planner read all that is pending, through the index made for the next
// of a key, whenever its statistics are old; 800 µs a delivery at a backlog of 9,000.
const BEGIN = statement(
  'delivery.begin',
  `with next as (
     select c.delivery_id as id
     from unnest($1::text[], $2::int[]) as w (destination, room)
     cross join lateral (
       select h.delivery_id from delivery.head h
       where h.destination = w.destination and h.ready_at <= log.now() and not ($3::jsonb ? h.delivery_id)
       order by h.ready_at, h.key limit w.room) c
   )
   update delivery.delivery d
   set attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, log.now())
   from next where d.id = next.id and d.state not in ('done', 'held', 'canceled')
   returning d.id, destination, key, payload, not_after, attempts, first_attempt_at, tenant, mode, traceparent,
     correlation_id, cause_id`,
)
/**
 * Takes what is ready, of each destination so many at most, and says durably that it is about to be tried: after a
 * crash, whoever looks knows that it may have been.
 */
export async function beginAttempts(
  tx: Tx,
  wanted: readonly { readonly destination: string; readonly room: number }[],
  underWay: UnderWay,
): Promise<Delivery[]> {
  const names = wanted.map(({ destination }) => destination)
  const rooms = wanted.map(({ room }) => room)
  return (await tx.query<Row>(BEGIN, [names, rooms, underWay])).map(deliveryOf)
}

export type Settlement = {
  readonly id: string
  readonly destination: string
  readonly key: string
  readonly attempt: number
  readonly kind: 'send' | 'ask'
  readonly outcome: 'done' | 'retry' | 'expired' | 'held'
  readonly reason: string | null
  readonly detail: string | null
  readonly startedAt: number
  readonly endedAt: number
  /** For a retry: how long until the next attempt. */
  readonly retryInMs: number | null
}

const LOCK_HEADS = statement(
  'delivery.lock_heads',
  `select 1 from delivery.head h
   join unnest($1::text[], $2::text[]) as w (destination, key) on h.destination = w.destination and h.key = w.key
   order by h.destination, h.key for update of h`,
)
const RECORD = statement(
  'delivery.record',
  `with s as materialized (
     select * from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[],
       $8::float8[], $9::float8[], $10::float8[], $11::text[])
       as s (id, destination, key, attempt, kind, outcome, reason, started_at, ended_at, retry_in_ms, detail)
   ), attempted as (
     insert into delivery.attempt (delivery_id, attempt, kind, outcome, reason, started_at, ended_at, detail)
     select id, attempt, kind, outcome, reason, to_timestamp(started_at / 1000), to_timestamp(ended_at / 1000), detail
     from s on conflict do nothing
   ), settled as (
     update delivery.delivery d set state = case s.outcome when 'held' then 'held' else 'done' end
     from s where d.id = s.id and s.outcome <> 'retry' and d.state not in ('done', 'held', 'canceled')
     returning d.id, d.destination, d.state
   ), counted as (
     insert into delivery.settled as t (destination, count)
     select destination, count(*) from settled where state = 'done' group by destination order by destination
     on conflict (destination) do update set count = t.count + excluded.count
   ), postponed as (
     update delivery.head h
     set ready_at = case s.outcome when 'held' then 'infinity' else log.now() + s.retry_in_ms * interval '1 ms' end
     from s where s.outcome in ('retry', 'held')
       and h.destination = s.destination and h.key = s.key and h.delivery_id = s.id
   )
   select id from settled`,
)
const MOVE_HEADS = statement(
  'delivery.move_heads',
  `with over as (
     select h.destination, h.key,
       (select n.id from delivery.delivery n
        where n.destination = h.destination and n.key = h.key and n.state = 'pending'
        order by n.sequence limit 1) as next
     from unnest($1::text[], $2::text[], $3::text[]) as w (id, destination, key)
     join delivery.head h on h.destination = w.destination and h.key = w.key and h.delivery_id = w.id
   ), moved as (
     update delivery.head h set delivery_id = over.next, ready_at = log.now()
     from over where h.destination = over.destination and h.key = over.key and over.next is not null
   )
   delete from delivery.head h using over
   where h.destination = over.destination and h.key = over.key and over.next is null`,
)
/**
 * Records attempts and lets the next of each key through. The heads are locked first: see delivery.enqueue. Returns the
 * deliveries that this settles: after a commit of which we never heard, or when another process had the lease in
 * between and has settled them, their facts are told already.
 */
export async function settle(tx: Tx, settlements: readonly Settlement[]): Promise<Set<string>> {
  const places = [settlements.map(({ destination }) => destination), settlements.map(({ key }) => key)]
  await tx.query(LOCK_HEADS, places)
  const recorded = await tx.query<{ id: string }>(RECORD, columnsOf(settlements))
  // A delivery that is held keeps its place: what follows it in its key must not overtake it.
  const over = settlements.filter(({ outcome }) => outcome === 'done' || outcome === 'expired')
  if (over.length > 0) await tx.query(MOVE_HEADS, columnsOf(over).slice(0, 3))
  return new Set(recorded.map(({ id }) => id))
}

function columnsOf(settlements: readonly Settlement[]) {
  return [
    settlements.map(({ id }) => id),
    settlements.map(({ destination }) => destination),
    settlements.map(({ key }) => key),
    settlements.map(({ attempt }) => attempt),
    settlements.map(({ kind }) => kind),
    settlements.map(({ outcome }) => outcome),
    settlements.map(({ reason }) => reason),
    settlements.map(({ startedAt }) => startedAt),
    settlements.map(({ endedAt }) => endedAt),
    settlements.map(({ retryInMs }) => retryInMs),
    settlements.map(({ detail }) => detail),
  ]
}

const RECORDED = statement(
  'delivery.recorded_attempts',
  'select delivery_id as id, count(*)::int as attempts from delivery.attempt where delivery_id = any ($1) group by 1',
)
/** How many attempts of each are recorded: fewer than begun means that one may have been made unseen. */
export async function recordedAttempts(tx: Tx, ids: readonly string[]): Promise<Map<string, number>> {
  const rows = await tx.query<{ id: string; attempts: number }>(RECORDED, [ids])
  return new Map(rows.map(({ id, attempts }) => [id, attempts]))
}

function deliveryOf(row: Row): Delivery {
  return {
    id: row.id,
    destination: row.destination,
    key: row.key,
    payload: row.payload,
    notAfter: row.not_after?.getTime() ?? null,
    attempts: row.attempts,
    firstAttemptAt: row.first_attempt_at.getTime(),
    cause: {
      id: row.cause_id,
      key: row.key,
      tenant: brandId<TenantId>(row.tenant),
      mode: row.mode === 'live' ? 'live' : 'test',
      traceparent: row.traceparent,
      correlationId: row.correlation_id,
    },
  }
}

const CANCEL = statement('delivery.cancel', 'select delivery.cancel($1, $2, $3) as canceled')
/** Takes back what is still to be delivered, ids from `from` on and before `to`; returns how many that were. */
export async function cancel(tx: Tx, destination: string, { from, to }: { from: string; to: string }): Promise<number> {
  const [row] = await tx.query<{ canceled: number }>(CANCEL, [destination, from, to])
  return row?.canceled ?? 0
}

// Attempts go by the range, not by what is gone: that of a call which was taken back may be recorded after its delivery went.
const FORGET = statement(
  'delivery.forget',
  `with open as materialized (
     select min(id) as id from delivery.delivery where id >= $1 and id < $2 and state not in ('done', 'canceled')
   ), gone as (
     delete from delivery.delivery d using open where d.id >= $1 and d.id < coalesce(open.id, $2)
   ), attempts as (
     delete from delivery.attempt a using open where a.delivery_id >= $1 and a.delivery_id < coalesce(open.id, $2)
   )
   select id from open`,
)
/**
 * Forgets deliveries of a range of ids and their attempts, up to the first that is not over, and returns that one's id. Only
 * for ids that are never offered again: they would be new.
 */
export async function forget(tx: Tx, { from, to }: { from: string; to: string }): Promise<string | undefined> {
  return (await tx.query<{ id: string | null }>(FORGET, [from, to]))[0]?.id ?? undefined
}

const HASTEN = statement('delivery.hasten', 'select delivery.hasten($1)')
/** Lets go at once whatever waits for its next attempt. */
export async function hasten(tx: Tx, destination: string): Promise<void> {
  await tx.query(HASTEN, [destination])
}

const ATTEMPTS = statement(
  'delivery.attempts_of',
  `select delivery_id, attempt, outcome, reason, started_at, ended_at, detail from delivery.attempt
   where delivery_id >= $1 and (delivery_id, attempt) < ($2, $3)
   order by delivery_id desc, attempt desc limit $4`,
)
export type AttemptRow = {
  delivery_id: string
  attempt: number
  outcome: string
  reason: string | null
  started_at: Date
  ended_at: Date
  detail: string | null
}
/** Attempts of deliveries whose ids are from `from` on, the greatest first, below the one given. */
export function attemptsBelow(
  database: Database,
  { from, below, attempt, limit }: { from: string; below: string; attempt: number; limit: number },
): Promise<AttemptRow[]> {
  return database.query<AttemptRow>(ATTEMPTS, [from, below, attempt, limit])
}
