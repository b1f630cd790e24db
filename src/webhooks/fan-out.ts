import type { Tx } from '#kernel/database'
import {
  type Decision,
  decider,
  type EventType,
  follow,
  type NewDelivery,
  type NewEvent,
  type RecordedEvent,
} from '#log'
import * as events from './events.ts'
import { deliveryId, destinationOf } from './message-id.ts'
import { matches } from './patterns.ts'
import { isPayloadVersion, NEWEST_VERSION, payloadOf } from './payload.ts'
import { type Subscriber, subscribers, type Whose } from './sql/endpoints.ts'
import * as sql from './sql/messages.ts'

/** What endpoints can hear of webhooks themselves. That one was made or changed is for the log alone. */
export const operational = [
  events.endpointDisabled,
  events.endpointEnabled,
  events.endpointFellBehind,
  events.endpointCaughtUp,
  events.deliveryAbandoned,
  events.endpointTested,
] as const

export type FanOutOptions = {
  /** What endpoints can subscribe to, beside this module's own. */
  readonly types: readonly EventType[]
  /** Deliveries of an endpoint that may be open. What comes on top waits in its stream. */
  readonly backlogMax: number
}

/**
 * Writes each event into the stream of every endpoint that subscribed to it, and, where the endpoint keeps up, hands it
 * over to be delivered. Both commit with the offset: an event has one place in a stream, whatever crashes.
 */
export function fanOut({ types, backlogMax }: FanOutOptions) {
  return decider({
    name: 'fan-out',
    reads: [...types, ...operational],
    publishes: [events.endpointFellBehind],
    handle: (batch, { tx }) => fan(batch, tx, backlogMax),
  })
}

type Addressed = { readonly endpoint: Subscriber; readonly event: RecordedEvent }

async function fan(batch: readonly RecordedEvent[], tx: Tx, backlogMax: number): Promise<Decision> {
  const endpoints = Map.groupBy(await subscribers(tx, whoseOf(batch)), whoseName)
  if (endpoints.size === 0) return {}
  const addressed = batch.flatMap((event) =>
    (endpoints.get(whoseName(event)) ?? []).filter((one) => isFor(one, event)).map((endpoint) => ({ endpoint, event })),
  )
  if (addressed.length === 0) return {}

  const byEndpoint = Map.groupBy(addressed, ({ endpoint }) => endpoint.id)
  const counts = new Map([...byEndpoint].map(([id, { length }]) => [id, length]))
  const reserved = await sql.reserve(tx, counts, { destinationOf, backlogMax })
  const payload = payloads()
  const placed = reserved.flatMap((reservation) =>
    (byEndpoint.get(reservation.endpoint) ?? []).map((one, place) => placeOf(one, reservation, place, payload)),
  )
  await sql.write(
    tx,
    placed.map(({ message }) => message),
  )
  return {
    deliveries: placed.flatMap(({ reservation, message, event }) =>
      reservation.is_live ? [deliveryOf(message, event, reservation.round)] : [],
    ),
    facts: reserved.flatMap((reservation) => fellBehind(reservation, byEndpoint.get(reservation.endpoint)?.[0])),
  }
}

function whoseOf(batch: readonly RecordedEvent[]): Whose[] {
  return [...new Map(batch.map(({ tenant, mode }) => [whoseName({ tenant, mode }), { tenant, mode }])).values()]
}

function whoseName({ tenant, mode }: Whose): string {
  return `${tenant}/${mode}`
}

/** A test is for the endpoint that asked for it, and an endpoint hears of all the others of its tenant. */
function isFor({ id, patterns }: Subscriber, { type, key }: RecordedEvent): boolean {
  if (type === events.endpointTested.type) return key === id
  return patterns.some((pattern) => matches(pattern, type))
}

/** Written once for all endpoints that take the same version. */
function payloads(): (event: RecordedEvent, version: string) => string {
  const known = new Map<string, string>()
  return (event, version) => {
    const name = `${version}/${event.id}`
    const payload = known.get(name) ?? payloadOf(event, isPayloadVersion(version) ? version : NEWEST_VERSION)
    known.set(name, payload)
    return payload
  }
}

function placeOf(
  { endpoint, event }: Addressed,
  reservation: sql.Reservation,
  place: number,
  payload: ReturnType<typeof payloads>,
) {
  const { id: eventId, type, key, traceparent, correlationId } = event
  const sequence = reservation.base + place
  const text = payload(event, endpoint.version)
  const message = { endpoint: endpoint.id, sequence, eventId, type, key, payload: text, traceparent, correlationId }
  return { reservation, message, event }
}

/** What a delivery carries is only which message it is: that is read, whole and unchanged, when it is sent. */
export function deliveryOf(
  message: sql.Message,
  { tenant, mode }: Pick<RecordedEvent, 'tenant' | 'mode'>,
  round: number,
): NewDelivery {
  const { endpoint, sequence, key, eventId, traceparent, correlationId } = message
  return {
    id: deliveryId(endpoint, sequence, `r${round}`),
    destination: destinationOf(endpoint),
    key,
    payload: { sequence },
    notAfter: null,
    cause: { id: eventId, tenant, mode, traceparent, correlationId },
  }
}

function fellBehind(reservation: sql.Reservation, first: Addressed | undefined): NewEvent[] {
  const { endpoint, was_live, is_live, base, backlog } = reservation
  if (!first || !was_live || is_live) return []
  const about = { key: endpoint, part: endpoint }
  return [follow(first.event, events.endpointFellBehind, { sequence: base, backlog: Math.max(0, backlog) }, about)]
}
