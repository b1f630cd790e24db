import type { Tx } from '#kernel/database'
import { plainDigest } from '#kernel/digest'
import { type Decision, decider, type EventOf, follow, type NewEvent } from '#log'
import { eventReceived, type ObjectReport, objectReported, payoutReported } from './events.ts'
import * as sql from './sql.ts'

type Received = EventOf<typeof eventReceived>
/** What is needed of a received event to place it; what a held one is stored as. */
type Placeable = Pick<Received, 'id' | 'key' | 'tenant' | 'mode' | 'traceparent' | 'correlationId' | 'data'>

/**
 * Places what gateways report on payments: by our own reference where the gateway carries it, then by
 * what is known of its objects; a payment that began at the gateway gets an id of its own. What only
 * names objects nobody knows yet is held until one of them is placed.
 */
export const correlate = decider({
  name: 'correlate',
  reads: [eventReceived],
  publishes: [objectReported, payoutReported],
  handle: (events, { tx }) => place(tx, events),
})

async function place(tx: Tx, events: readonly Placeable[]): Promise<Decision> {
  const fresh = await unseen(tx, events)
  const payouts = fresh.flatMap(payoutFacts)
  const reports = fresh.filter((event) => paymentReports(event).length > 0)
  if (reports.length === 0) return { facts: payouts }

  const objects = uniqueObjects(reports)
  const waiting = await sql.heldFor(tx, objects)
  const locked = await sql.lockObjects(tx, proposals([...reports, ...waiting.map(heldEvent)]))
  // Looked at again under the locks: what was held meanwhile waits for objects that are locked now.
  const held = (await sql.heldFor(tx, objects)).map(heldEvent)

  const placed = placeAll([...reports, ...held], locked)
  await write(tx, placed, locked, {
    newlyHeld: reports.filter((event) => !placed.has(event)),
    released: held.filter((event) => placed.has(event)),
  })
  return { facts: [...payouts, ...[...placed].map(([event, payment]) => reportFact(event, payment))] }
}

/** Each gateway event counts once, however often it is sent: f(account, event id). */
async function unseen(tx: Tx, events: readonly Placeable[]): Promise<Placeable[]> {
  const left = await sql.newEvents(tx, events.map(refOf))
  return events.filter((event) => left.delete(sql.eventName(refOf(event))))
}

/** Goes round until nothing more can be placed: one event's parent may be placed by another. */
function placeAll(events: readonly Placeable[], locked: readonly sql.LockedObject[]): Map<Placeable, string> {
  const known = new Map(locked.flatMap((row) => (row.payment === null ? [] : [[sql.objectName(row), row.payment]])))
  const placed = new Map<Placeable, string>()
  let open = events
  while (open.length > 0) {
    const still = open.filter((event) => {
      const payment = paymentOf(event, known)
      if (payment === undefined) return true
      placed.set(event, payment)
      for (const object of objectsOf(event)) {
        const name = sql.objectName(object)
        if (!known.has(name)) known.set(name, payment)
      }
      return false
    })
    if (still.length === open.length) break
    open = still
  }
  return placed
}

function paymentOf(event: Placeable, known: ReadonlyMap<string, string>): string | undefined {
  if (event.data.payment !== undefined) return event.data.payment
  for (const object of objectsOf(event)) {
    const mapped = known.get(sql.objectName(object))
    if (mapped !== undefined) return mapped
  }
  return paymentBegunBy(event)
}

/** The payment an event names or begins; undefined for one that has to wait for its parent. */
function paymentBegunBy(event: Placeable): string | undefined {
  const { account, payment } = event.data
  const root = rootOf(paymentReports(event))
  return payment ?? (root && `pay_${plainDigest('gateway-payment', event.tenant, event.mode, account, root)}`)
}

/** Every object with the payment it would belong to if nothing else is known of it; in one order for everybody. */
function proposals(events: readonly Placeable[]): (sql.ObjectRef & { payment: string | null })[] {
  const proposed = new Map<string, sql.ObjectRef & { payment: string | null }>()
  for (const event of events) {
    const payment = paymentBegunBy(event) ?? null
    for (const object of objectsOf(event)) {
      const name = sql.objectName(object)
      if (proposed.get(name)?.payment == null) proposed.set(name, { ...object, payment })
    }
  }
  return [...proposed].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, object]) => object)
}

/** The object a payment began with. A refund or dispute begins none: it waits for its parent. */
function rootOf(reports: readonly ObjectReport[]): string | undefined {
  const intent = reports.find(({ kind }) => kind === 'intent')
  if (intent) return intent.id
  const charge = reports.find(({ kind }) => kind === 'charge')
  return charge && (charge.parents.at(-1) ?? charge.id)
}

async function write(
  tx: Tx,
  placed: ReadonlyMap<Placeable, string>,
  locked: readonly sql.LockedObject[],
  { newlyHeld, released }: { newlyHeld: readonly Placeable[]; released: readonly Placeable[] },
): Promise<void> {
  const rows = new Map(locked.map((row) => [sql.objectName(row), row]))
  const mappings = [...placed].flatMap(([event, payment]) =>
    objectsOf(event).flatMap((object) => {
      const row = rows.get(sql.objectName(object))
      const isOpen = row && (row.payment === null || (row.is_new && row.payment !== payment))
      return isOpen ? [{ ...object, payment }] : []
    }),
  )
  if (mappings.length > 0) await sql.mapObjects(tx, mappings)
  if (released.length > 0) await sql.release(tx, released.map(refOf))
  if (newlyHeld.length > 0) await sql.hold(tx, newlyHeld.map(heldRow))
}

function heldEvent({ event }: { event: unknown }): Placeable {
  return event as Placeable
}

function heldRow(placeable: Placeable) {
  const { id, key, tenant, mode, traceparent, correlationId, data } = placeable
  const event: Placeable = { id, key, tenant, mode, traceparent, correlationId, data }
  const { account, eventId: event_id } = data
  return { tenant, mode, account, event_id, event, objects: [...new Set(objectsOf(event).map(({ object }) => object))] }
}

function reportFact(event: Placeable, payment: string): NewEvent {
  const { gateway, account, merchant, eventId } = event.data
  const data = { gateway, account, merchant, eventId, reports: paymentReports(event) }
  return follow(event, objectReported, data, { key: payment })
}

function payoutFacts(event: Placeable): NewEvent[] {
  const { gateway, account, eventId, reports } = event.data
  const payouts = reports.filter((report) => report.kind === 'payout')
  const [first] = payouts
  if (!first) return []
  const key = `pyo_${plainDigest('gateway-payout', event.tenant, event.mode, account, first.id)}`
  return [follow(event, payoutReported, { gateway, account, eventId, reports: payouts }, { key })]
}

function paymentReports({ data }: Placeable): ObjectReport[] {
  return data.reports.filter(({ kind }) => kind !== 'payout')
}

/** Every gateway object the event names, parents included: nearest first. */
function objectsOf(event: Placeable): sql.ObjectRef[] {
  const { tenant, mode, data } = event
  return paymentReports(event)
    .flatMap(({ id, parents }) => [id, ...parents])
    .map((object) => ({ tenant, mode, account: data.account, object }))
}

function refOf({ tenant, mode, data }: Placeable): sql.EventRef {
  return { tenant, mode, account: data.account, event: data.eventId }
}

function uniqueObjects(events: readonly Placeable[]): sql.ObjectRef[] {
  return [...new Map(events.flatMap(objectsOf).map((object) => [sql.objectName(object), object])).values()]
}
