import { isSealed } from '#kernel/seal'
import type { BrowsedEvent } from './browse.ts'

/** CloudEvents 1.0 in its JSON format, as `application/cloudevents+json` has it. */
export type CloudEvent = {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly dataschema: string
  readonly partitionkey: string
  readonly traceparent: string
  readonly tenant: string
  readonly mode: string
  readonly causationid?: string
  readonly correlationid: string
  readonly data: unknown
}

/** An event for outside eyes: whatever is sealed is shown as `sealed`, and nothing else is left out. */
export function toCloudEvent(event: BrowsedEvent): CloudEvent {
  const { id, topic, type, version, key, time, traceparent, tenant, mode } = event
  return {
    specversion: '1.0',
    id,
    source: `/topics/${topic}`,
    type,
    subject: key,
    time: time.toISOString(),
    datacontenttype: 'application/json',
    dataschema: `/asyncapi.json#/components/schemas/${schemaName(type, version)}`,
    partitionkey: key,
    traceparent,
    tenant,
    mode,
    ...(event.causation_id === null ? {} : { causationid: event.causation_id }),
    correlationid: event.correlation_id,
    data: withoutSealed(event.data),
  }
}

export function schemaName(type: string, version: number): string {
  return `${type}.v${version}`
}

/** By the shape of what is sealed, not by the declared fields: an event of a newer version may seal more. */
export function withoutSealed(value: unknown): unknown {
  if (typeof value === 'string') return isSealed(value) ? 'sealed' : value
  if (Array.isArray(value)) return value.map(withoutSealed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withoutSealed(field)]))
}
