import { Type } from 'typebox'
import type { Database } from '#kernel/database'
import { base32 } from '#kernel/digest'
import { brandId, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import { eventsOfKey } from './browse.ts'
import { createDoor } from './door.ts'
import { eventType, type NewEvent } from './event.ts'
import type { Module, Subject } from './module.ts'
import { listParked, requestRetry, showParked } from './parked.ts'
import { createWakeups } from './wakeup.ts'

/** Somebody asked for the parked events of a key to be handled anew. Key: that of the events. */
export const retryRequested = eventType({
  type: 'log.retry_requested',
  topic: 'log',
  schema: Type.Object({ group: Type.String(), events: Type.Integer({ minimum: 0 }) }),
})

/** What operators do to the log is on the log. */
export const operations: Module = {
  name: 'operations',
  summary: 'What operators asked of the log itself.',
  events: [retryRequested],
  accepts: [retryRequested],
  facets: [{ about: 'payment', name: 'events', show: showEvents }],
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

export type Retried = { readonly group: string; readonly key: string }

/**
 * Asks for parked keys to be handled anew, of a group or of all, and records who was asked for. The record
 * comes first: a crash in between leaves a request on the log that was not carried out, never the reverse.
 */
export async function retryParkedKeys(
  database: Database,
  random: Random,
  of: { group: string | null; key: string | null },
): Promise<Retried[]> {
  const parked = (await listParked(database, of.group)).filter(({ key }) => of.key === null || key === of.key)
  const events = await Promise.all(
    parked.map(({ group, key, events }) => requested(database, random, { group, key, events })),
  )
  await createDoor(database, createWakeups()).append(events.flat())
  for (const { group, key } of parked) await requestRetry(database, group, key)
  return parked.map(({ group, key }) => ({ group, key }))
}

async function requested(
  database: Database,
  random: Random,
  { group, key, events }: Retried & { events: number },
): Promise<NewEvent[]> {
  const [first] = await showParked(database, group, key)
  if (!first) return []
  const { tenant, mode } = first.event
  const id = `evt_${base32(random.bytes(17))}`
  const traceparent = `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`
  return [
    {
      id,
      of: retryRequested,
      key,
      tenant: brandId<TenantId>(String(tenant)),
      mode: mode === 'live' ? 'live' : 'test',
      traceparent,
      causationId: typeof first.event.id === 'string' ? first.event.id : null,
      correlationId: id,
      data: { group, events },
    },
  ]
}
