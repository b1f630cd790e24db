import { type TSchema, Type } from 'typebox'
import type { Database } from '#kernel/database'
import { eventsOfKey } from './browse.ts'
import { eventType } from './event.ts'
import type { Module, Subject } from './module.ts'

/** Who did it, `os:` and a user of the machine, and why; in words that `isReason` lets pass. */
const Who = { by: Type.Optional(Type.String()), reason: Type.Optional(Type.String()) }

const ParkedEvent = {
  group: Type.String(),
  /** The event as it stands on the log: by id, type and place. */
  event: Type.String(),
  type: Type.String(),
  topic: Type.String(),
  partition: Type.Integer({ minimum: 0 }),
  offset: Type.Integer({ minimum: 0 }),
}

/** Somebody asked for the parked events of a key to be handled anew. Key: that of the events. */
export const retryRequested = operatorEvent('log.retry_requested', {
  group: Type.String(),
  events: Type.Integer({ minimum: 0 }),
  ...Who,
})

/** Somebody changed the data of a parked event; on the log it stays as it was. */
export const parkedEventEdited = operatorEvent('log.parked_event_edited', {
  ...ParkedEvent,
  /** Each field that changed, by its JSON pointer, with its values as JSON. None of them is sealed. */
  changes: Type.Array(
    Type.Object({ path: Type.String(), before: Type.Optional(Type.String()), after: Type.Optional(Type.String()) }),
  ),
  ...Who,
})

/** Somebody decided that a parked event is never to be handled by the group. */
export const parkedEventDiscarded = operatorEvent('log.parked_event_discarded', { ...ParkedEvent, ...Who })

/** Somebody put rebuilt rows in the place of a projection's own. Key: the projection. */
export const projectionSwapped = operatorEvent('log.projection_swapped', {
  projection: Type.String(),
  /** How many were read to rebuild it. */
  events: Type.Integer({ minimum: 0 }),
  /** What the swap changed. */
  tables: Type.Array(
    Type.Object({
      table: Type.String(),
      written: Type.Integer({ minimum: 0 }),
      removed: Type.Integer({ minimum: 0 }),
    }),
  ),
  /** Where both were: the next offset of each partition. */
  offsets: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Type.Integer({ minimum: 0 }),
      offset: Type.Integer({ minimum: 0 }),
    }),
  ),
  by: Type.String(),
})

const events = [retryRequested, parkedEventEdited, parkedEventDiscarded, projectionSwapped]

/** What operators do to the log is on the log. */
export const operations: Module = {
  name: 'operations',
  summary: 'What operators asked of the log itself.',
  events,
  accepts: events,
  facets: [{ about: 'payment', name: 'events', show: showEvents }],
}

function operatorEvent<const Name extends string, const Fields extends Record<string, TSchema>>(
  type: Name,
  fields: Fields,
) {
  return eventType({ type, topic: 'log', schema: Type.Object(fields) })
}

async function showEvents(database: Database, { tenant, mode, id }: Subject) {
  const events = await eventsOfKey(database, { key: id, tenant, mode, limit: 1_000 })
  return events.map(({ time, topic, partition, offset, type, id: event }) => ({
    time,
    topic,
    partition,
    offset,
    type,
    event,
  }))
}
