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

const ENQUEUE = statement('delivery.enqueue', 'select delivery.enqueue($1)')
/** Writes deliveries in the caller's transaction. Safe to repeat: an id that is known stays as it is. */
export async function enqueue(tx: Tx, deliveries: readonly NewDelivery[]): Promise<void> {
  const rows = deliveries.map(({ cause, notAfter, ...delivery }) => ({
    ...delivery,
    not_after: notAfter,
    tenant: cause.tenant,
    mode: cause.mode,
    traceparent: cause.traceparent,
    correlation: cause.correlationId,
    cause: cause.id,
  }))
  await tx.query(ENQUEUE, [JSON.stringify(rows)])
}

const READY = statement(
  'delivery.ready',
  `select delivery_id as id from delivery.head
   where destination = $1 and ready_at <= log.now() and delivery_id <> all ($2)
   order by ready_at, key limit $3`,
)
export async function readyHeads(
  tx: Tx,
  destination: string,
  except: readonly string[],
  limit: number,
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(READY, [destination, except, limit])
  return rows.map(({ id }) => id)
}

const NEXT_READY = statement(
  'delivery.next_ready',
  `select extract(epoch from min(ready_at) - log.now())::float8 * 1000 as in_ms
   from delivery.head where destination = $1 and delivery_id <> all ($2)`,
)
/** Milliseconds until a head is ready; undefined when there is none. */
export async function nextReadyInMs(database: Database, destination: string, except: readonly string[]) {
  const [row] = await database.query<{ in_ms: number | null }>(NEXT_READY, [destination, except])
  return row?.in_ms ?? undefined
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

const BEGIN = statement(
  'delivery.begin',
  `update delivery.delivery d
   set attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, log.now())
   where id = any ($1) and state = 'pending'
   returning id, destination, key, payload, not_after, attempts, first_attempt_at, tenant, mode, traceparent,
     correlation_id, cause_id`,
)
/** Says durably that these are about to be tried: after a crash, whoever looks knows that they may have been. */
export async function beginAttempts(tx: Tx, ids: readonly string[]): Promise<Delivery[]> {
  const rows = await tx.query<Row>(BEGIN, [ids])
  return rows.map(deliveryOf)
}

export type Settlement = {
  readonly id: string
  readonly destination: string
  readonly key: string
  readonly attempt: number
  readonly kind: 'send' | 'ask'
  readonly outcome: 'done' | 'retry' | 'expired' | 'held'
  readonly reason: string | null
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
  `with s as (
     select * from json_to_recordset($1::json) as s (id text, attempt int, kind text, outcome text, reason text,
       "startedAt" float8, "endedAt" float8, "retryInMs" float8)
   ), attempted as (
     insert into delivery.attempt (delivery_id, attempt, kind, outcome, reason, started_at, ended_at)
     select id, attempt, kind, outcome, reason, to_timestamp("startedAt" / 1000), to_timestamp("endedAt" / 1000) from s
     on conflict do nothing
   ), settled as (
     update delivery.delivery d set state = case s.outcome when 'held' then 'held' else 'done' end
     from s where d.id = s.id and s.outcome <> 'retry' and d.state = 'pending'
     returning d.id
   ), postponed as (
     update delivery.head h set ready_at = log.now() + s."retryInMs" * interval '1 ms'
     from s where h.delivery_id = s.id and s.outcome = 'retry'
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
     from delivery.head h
     join unnest($1::text[]) as w (id) on h.delivery_id = w.id
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
  await tx.query(LOCK_HEADS, [settlements.map(({ destination }) => destination), settlements.map(({ key }) => key)])
  const recorded = await tx.query<{ id: string }>(RECORD, [JSON.stringify(settlements)])
  // A delivery that is held keeps its place: what follows it in its key must not overtake it.
  const over = settlements.filter(({ outcome }) => outcome === 'done' || outcome === 'expired').map(({ id }) => id)
  if (over.length > 0) await tx.query(MOVE_HEADS, [over])
  const held = settlements.filter(({ outcome }) => outcome === 'held').map(({ id }) => id)
  if (held.length > 0) await tx.query(HOLD_HEADS, [held])
  return new Set(recorded.map(({ id }) => id))
}

const HOLD_HEADS = statement(
  'delivery.hold_heads',
  `update delivery.head set ready_at = 'infinity' where delivery_id = any ($1)`,
)

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
