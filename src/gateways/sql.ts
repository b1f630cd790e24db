import { type Database, statement, type Tx } from '#kernel/database'

/** Everything here is one tenant's, in one mode, at one account. */
export type Place = { readonly tenant: string; readonly mode: string; readonly account: string }
export type ObjectRef = Place & { readonly object: string }
/** With its name, which is put together once. */
export type NamedObject = ObjectRef & { readonly name: string }
export type EventRef = Place & { readonly event: string }

const refName = ({ tenant, mode, account }: Place, id: string): string => `${tenant}/${mode}/${account}/${id}`
export const objectName = (ref: ObjectRef): string => refName(ref, ref.object)
export const eventName = (ref: EventRef): string => refName(ref, ref.event)

/** Rows go in as one array a column: json_to_recordset builds a hash table for every row. */
function columnsOf(places: readonly Place[]): [string[], string[], string[]] {
  return [places.map(({ tenant }) => tenant), places.map(({ mode }) => mode), places.map(({ account }) => account)]
}

const NEW_EVENTS = statement(
  'gateways.new_events',
  `insert into gateways.event (tenant, mode, account, event_id)
   select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as e (tenant, mode, account, event)
   order by event, account, tenant, mode
   on conflict do nothing
   returning tenant, mode, account, event_id as event`,
)
/** Names of those that were never seen before. */
export async function newEvents(tx: Tx, refs: readonly EventRef[]): Promise<Set<string>> {
  const rows = await tx.query<EventRef>(NEW_EVENTS, [...columnsOf(refs), refs.map(({ event }) => event)])
  return new Set(rows.map(eventName))
}

type HeldRow = { tenant: string; mode: string; account: string; event_id: string; event: unknown }
const HELD_FOR = statement(
  'gateways.held_for',
  `select distinct on (h.tenant, h.mode, h.account, h.event_id) h.tenant, h.mode, h.account, h.event_id, h.event
   from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as o (tenant, mode, account, object)
   join gateways.held_for f using (tenant, mode, account)
   join gateways.held h using (tenant, mode, account, event_id)
   where f.object_id = o.object
   order by h.tenant, h.mode, h.account, h.event_id`,
)
/** Events that wait for any of these objects. */
export function heldFor(tx: Tx, objects: readonly ObjectRef[]): Promise<HeldRow[]> {
  return tx.query<HeldRow>(HELD_FOR, [...columnsOf(objects), objects.map(({ object }) => object)])
}

export type LockedObject = ObjectRef & { readonly payment: string | null; readonly is_new: boolean }

const PLACED_OBJECTS = statement(
  'gateways.placed_objects',
  `select g.tenant, g.mode, g.account, g.object_id as object, g.payment
   from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as o (tenant, mode, account, object)
   cross join lateral (
     select * from gateways.object g
     where g.object_id = o.object and g.account = o.account and g.tenant = o.tenant and g.mode = o.mode
     limit 1
   ) g
   where g.payment is not null`,
)
/**
 * Those of the objects that are known to belong to a payment, with it. That is never changed again, so they are neither
 * locked nor written: a gateway tells of each object several times.
 */
export async function placedObjects(tx: Tx, objects: readonly ObjectRef[]): Promise<LockedObject[]> {
  type PlacedRow = ObjectRef & { payment: string }
  const values = [...columnsOf(objects), objects.map(({ object }) => object)]
  return (await tx.query<PlacedRow>(PLACED_OBJECTS, values)).map((row) => ({ ...row, is_new: false }))
}

const LOCK_OBJECTS = statement(
  'gateways.lock_objects',
  `insert into gateways.object as g (tenant, mode, account, object_id, payment)
   select *
   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as o (tenant, mode, account, object, payment)
   order by object, account, tenant, mode
   on conflict (tenant, mode, account, object_id) do update set payment = coalesce(g.payment, excluded.payment)
   returning tenant, mode, account, object_id as object, payment, xmax = 0 as is_new`,
)
/**
 * Makes and locks the objects' rows, in one order for everybody, and returns the payments they belong
 * to: the one known before, else the one proposed. Whoever holds or maps an object holds its row first,
 * so that an event that waits and a parent that arrives cannot miss each other.
 */
export function lockObjects(
  tx: Tx,
  objects: readonly (ObjectRef & { payment: string | null })[],
): Promise<LockedObject[]> {
  return tx.query<LockedObject>(LOCK_OBJECTS, [
    ...columnsOf(objects),
    objects.map(({ object }) => object),
    objects.map(({ payment }) => payment),
  ])
}

const MAP_OBJECTS = statement(
  'gateways.map_objects',
  `update gateways.object g set payment = o.payment
   from json_to_recordset($1) as o (tenant text, mode text, account text, object text, payment text)
   where g.tenant = o.tenant and g.mode = o.mode and g.account = o.account and g.object_id = o.object`,
)
/** Only for rows that are locked. */
export async function mapObjects(tx: Tx, mappings: readonly (ObjectRef & { payment: string })[]): Promise<void> {
  await tx.query(MAP_OBJECTS, [JSON.stringify(mappings)])
}

const HOLD = statement(
  'gateways.hold',
  `with e as (
     select * from json_to_recordset($1) as e (tenant text, mode text, account text, event_id text, event json, objects json)
   ), held as (
     insert into gateways.held (tenant, mode, account, event_id, event, held_at)
     select tenant, mode, account, event_id, event, log.now() from e
   )
   insert into gateways.held_for (tenant, mode, account, object_id, event_id)
   select e.tenant, e.mode, e.account, o.object, e.event_id from e
   cross join lateral json_array_elements_text(e.objects) as o (object)
   on conflict do nothing`,
)
export async function hold(tx: Tx, events: readonly (HeldRow & { objects: readonly string[] })[]): Promise<void> {
  await tx.query(HOLD, [JSON.stringify(events)])
}

const RELEASE = statement(
  'gateways.release',
  `with e as (select * from json_to_recordset($1) as e (tenant text, mode text, account text, event text)),
   waits as (
     delete from gateways.held_for f using e
     where f.tenant = e.tenant and f.mode = e.mode and f.account = e.account and f.event_id = e.event
   )
   delete from gateways.held h using e
   where h.tenant = e.tenant and h.mode = e.mode and h.account = e.account and h.event_id = e.event`,
)
export async function release(tx: Tx, events: readonly EventRef[]): Promise<void> {
  await tx.query(RELEASE, [JSON.stringify(events)])
}

const HELD_LONG = statement(
  'gateways.held_long',
  `select count(*) as held from gateways.held where held_at < log.now() - interval '1 hour'`,
)
/** Events that have waited for their parent for over an hour: something is missing. */
export async function heldLong(database: Database): Promise<bigint> {
  const [row] = await database.query<{ held: bigint }>(HELD_LONG)
  return row?.held ?? 0n
}

const SHOW_OBJECTS = statement(
  'gateways.show_objects',
  'select account, object_id as object from gateways.object where tenant = $1 and mode = $2 and payment = $3 order by 1, 2',
)
export function showObjects(database: Database, { tenant, mode, id }: { tenant: string; mode: string; id: string }) {
  return database.query<{ account: string; object: string }>(SHOW_OBJECTS, [tenant, mode, id])
}

const OBJECTS_OF = statement(
  'gateways.objects_of',
  'select account, object_id as object from gateways.object where tenant = $1 and payment = any ($2)',
)
export function objectsOf(database: Database, tenant: string, payments: readonly string[]) {
  return database.query<{ account: string; object: string }>(OBJECTS_OF, [tenant, payments])
}
