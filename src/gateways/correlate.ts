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

/** An event that reports on a payment. What is looked at many times of it is put together once. */
type Candidate = {
  readonly event: Placeable
  readonly reports: ObjectReport[]
  /** Every gateway object it names, parents included: nearest first. */
  readonly objects: readonly sql.NamedObject[]
  /** The payment it names or begins; undefined for one that has to wait for its parent. */
  readonly begun: string | undefined
}

/** An object that is locked or placed for good, and the payment it belongs to as far as is known by now. */
type Known = { readonly row: sql.LockedObject | undefined; payment: string | null }
type KnownObjects = Map<string, Known>

async function place(tx: Tx, events: readonly Placeable[]): Promise<Decision> {
  const fresh = await unseen(tx, events)
  const payouts = fresh.flatMap(payoutFacts)
  const reports = fresh.map(candidateOf).filter((candidate) => candidate.reports.length > 0)
  if (reports.length === 0) return { facts: payouts }

  const objects = proposals(reports)
  const waiting = (await sql.heldFor(tx, objects)).map(heldCandidate)
  const wanted = waiting.length === 0 ? objects : proposals([...reports, ...waiting])
  const rows = await placedOrLocked(tx, wanted)
  // Looked at again under the locks: what was held meanwhile waits for objects that are locked now.
  const held = (await sql.heldFor(tx, objects)).map(heldCandidate)

  const known: KnownObjects = new Map(rows.map((row) => [sql.objectName(row), { row, payment: row.payment }]))
  const placed = placeAll([...reports, ...held], known)
  await write(tx, placed, known, {
    newlyHeld: reports.filter((candidate) => !placed.has(candidate)),
    released: held.filter((candidate) => placed.has(candidate)),
  })
  return { facts: [...payouts, ...[...placed].map(([candidate, payment]) => reportFact(candidate, payment))] }
}

async function placedOrLocked(tx: Tx, objects: ReturnType<typeof proposals>): Promise<sql.LockedObject[]> {
  const placed = await sql.placedObjects(tx, objects)
  const names = new Set(placed.map(sql.objectName))
  const open = names.size === 0 ? objects : objects.filter(({ name }) => !names.has(name))
  return open.length === 0 ? placed : [...placed, ...(await sql.lockObjects(tx, open))]
}

/** Each gateway event counts once, however often it is sent: f(account, event id). */
async function unseen(tx: Tx, events: readonly Placeable[]): Promise<Placeable[]> {
  const left = await sql.newEvents(tx, events.map(refOf))
  return events.filter((event) => left.delete(sql.eventName(refOf(event))))
}

function candidateOf(event: Placeable): Candidate {
  const { tenant, mode, data } = event
  const { account } = data
  const reports = data.reports.filter(({ kind }) => kind !== 'payout')
  const objects = reports.flatMap(({ id, parents }) =>
    [id, ...parents].map((object) => {
      const ref = { tenant, mode, account, object }
      return { ...ref, name: sql.objectName(ref) }
    }),
  )
  return { event, reports, objects, begun: data.payment ?? paymentBegunBy(event, reports) }
}

function paymentBegunBy({ tenant, mode, data }: Placeable, reports: readonly ObjectReport[]): string | undefined {
  const root = rootOf(reports)
  return root && `pay_${plainDigest('gateway-payment', tenant, mode, data.account, root)}`
}

/** Goes round until nothing more can be placed: one event's parent may be placed by another. */
function placeAll(candidates: readonly Candidate[], known: KnownObjects): Map<Candidate, string> {
  const placed = new Map<Candidate, string>()
  let open = candidates
  while (open.length > 0) {
    const still = open.filter((candidate) => {
      const payment = paymentOf(candidate, known)
      if (payment === undefined) return true
      placed.set(candidate, payment)
      for (const { name } of candidate.objects) {
        const object = known.get(name)
        if (!object) known.set(name, { row: undefined, payment })
        else object.payment ??= payment
      }
      return false
    })
    if (still.length === open.length) break
    open = still
  }
  return placed
}

function paymentOf({ event, objects, begun }: Candidate, known: KnownObjects): string | undefined {
  if (event.data.payment !== undefined) return event.data.payment
  for (const { name } of objects) {
    const payment = known.get(name)?.payment
    if (payment != null) return payment
  }
  return begun
}

/** Every object with the payment it would belong to if nothing else is known of it. */
function proposals(candidates: readonly Candidate[]): (sql.NamedObject & { payment: string | null })[] {
  const proposed = new Map<string, sql.NamedObject & { payment: string | null }>()
  for (const { objects, begun = null } of candidates) {
    for (const object of objects) {
      const known = proposed.get(object.name)
      if (!known) proposed.set(object.name, { ...object, payment: begun })
      else known.payment ??= begun
    }
  }
  return [...proposed.values()]
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
  placed: ReadonlyMap<Candidate, string>,
  known: KnownObjects,
  { newlyHeld, released }: { newlyHeld: readonly Candidate[]; released: readonly Candidate[] },
): Promise<void> {
  const mappings = [...placed].flatMap(([{ objects }, payment]) =>
    objects.flatMap(({ tenant, mode, account, object, name }) => {
      const row = known.get(name)?.row
      const isOpen = row && (row.payment === null || (row.is_new && row.payment !== payment))
      return isOpen ? [{ tenant, mode, account, object, payment }] : []
    }),
  )
  if (mappings.length > 0) await sql.mapObjects(tx, mappings)
  const settled = released.map(({ event }) => refOf(event))
  if (settled.length > 0) await sql.release(tx, settled)
  if (newlyHeld.length > 0) await sql.hold(tx, newlyHeld.map(heldRow))
}

function heldCandidate({ event }: { event: unknown }): Candidate {
  return candidateOf(event as Placeable)
}

function heldRow({ event: placeable, objects }: Candidate) {
  const { id, key, tenant, mode, traceparent, correlationId, data } = placeable
  const event: Placeable = { id, key, tenant, mode, traceparent, correlationId, data }
  const { account, eventId: event_id } = data
  return { tenant, mode, account, event_id, event, objects: [...new Set(objects.map(({ object }) => object))] }
}

function reportFact({ event, reports }: Candidate, payment: string): NewEvent {
  const { gateway, account, merchant, eventId } = event.data
  const data = { gateway, account, merchant, eventId, reports }
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

function refOf({ tenant, mode, data }: Placeable): sql.EventRef {
  return { tenant, mode, account: data.account, event: data.eventId }
}
