import { Compile, type Validator } from 'typebox/compile'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import { InvariantViolation } from '#kernel/invariant'
import { isSealedBytes } from '#kernel/seal'
import type { EventType, NewEvent, RecordedEvent } from './event.ts'
import { partitionOf } from './partitioner.ts'
import type { AppendRows, EventRow, Headers } from './sql.ts'
import { unstorablePath } from './storable.ts'
import { closedSchema, openSchema } from './strictness.ts'

/** The data of an event is not what its type declares. Deterministic: the event is parked. */
export class EventInvalid extends InvariantViolation {
  override name = 'EventInvalid'
}

/** Largest event, in bytes of JSON: bounds what a batch may hold behind a slow socket. */
export const EVENT_BYTES_MAX = 256 * 1024

type Validators = { readonly write: Validator; readonly read: Validator }

const validators = new WeakMap<EventType, Validators>()

function validatorsOf(of: EventType): Validators {
  let made = validators.get(of)
  if (!made) {
    made = { write: Compile(closedSchema(of.schema)), read: Compile(openSchema(of.schema)) }
    validators.set(of, made)
  }
  return made
}

/** An event ready to be appended: its head is known, its data checked and written. */
export type Encoded = {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly type: string
  readonly bytes: number
  readonly json: string
  readonly attachment: Buffer | null
}

/** Strict on publish. @throws EventInvalid when the event does not fit its schema, the database or the limit. */
export function encode(event: NewEvent): Encoded {
  const { of, key, attachment = null } = event
  const { write } = validatorsOf(of)
  if (!write.Check(event.data)) throw new EventInvalid(`${of.type}: ${whatIsWrong(write, event.data)}`)
  const record: Headers = {
    version: of.version,
    id: event.id,
    tenant: event.tenant,
    mode: event.mode,
    traceparent: event.traceparent,
    causation_id: event.causationId,
    correlation_id: event.correlationId,
    data: event.data,
  }
  const json = JSON.stringify(record)
  const path = unstorablePath(JSON.stringify(key), { key }) ?? unstorablePath(json, record)
  if (path !== undefined) throw new EventInvalid(`${of.type}: ${path} holds a NUL or half a surrogate pair`)
  if (attachment !== null && !(of.attachment !== undefined && isSealedBytes(attachment))) {
    throw new EventInvalid(`${of.type}: its attachment is not declared, or not sealed`)
  }
  const bytes = Buffer.byteLength(json) + (attachment?.length ?? 0)
  if (bytes > EVENT_BYTES_MAX) throw new EventInvalid(`${of.type}: ${bytes} bytes are more than ${EVENT_BYTES_MAX}`)
  return { topic: of.topic, partition: partitionOf(key), key, type: of.type, bytes, json, attachment }
}

/**
 * Whether data may stand in an event of the type and version: strict for the version that the code writes, as readers take it
 * for an older one. @throws EventInvalid, naming the field.
 */
export function checkData(of: EventType, about: Pick<EventRow, 'id' | 'type' | 'version'>, data: unknown): void {
  const { write } = validatorsOf(of)
  if (about.version !== of.version) upcast({ ...about, data }, of)
  else if (!write.Check(data)) throw new EventInvalid(`${of.type}: ${whatIsWrong(write, data)}`)
  const json = JSON.stringify(data)
  const path = unstorablePath(json, { data })
  if (path !== undefined) throw new EventInvalid(`${of.type}: ${path} holds a NUL or half a surrogate pair`)
  if (Buffer.byteLength(json) > EVENT_BYTES_MAX)
    throw new EventInvalid(`${of.type}: more than ${EVENT_BYTES_MAX} bytes`)
}

/** Groups encoded events by head, in the order given, as `log.append` takes them. */
export function appendRows(events: readonly Encoded[]): AppendRows {
  const indexes = new Map<string, number>()
  const rows: AppendRows = {
    topics: [],
    partitions: [],
    counts: [],
    heads: [],
    places: [],
    keys: [],
    types: [],
    events: [],
    attachments: [],
  }
  for (const { topic, partition, key, type, json, attachment } of events) {
    const name = `${topic}/${partition}`
    const index = indexes.get(name) ?? indexes.size
    if (index === indexes.size) {
      indexes.set(name, index)
      rows.topics.push(topic)
      rows.partitions.push(partition)
      rows.counts.push(0)
    }
    const place = rows.counts[index] ?? 0
    rows.counts[index] = place + 1
    rows.heads.push(index + 1)
    rows.places.push(place)
    rows.keys.push(key)
    rows.types.push(type)
    rows.events.push(json)
    rows.attachments.push(attachment)
  }
  return rows
}

/** The event as handlers see it, upcast to the version the code knows. Unknown fields are left alone. */
export function decode(row: EventRow, of: EventType): RecordedEvent {
  const { timer_id: timerId, timer_generation: generation } = row
  return {
    id: row.id,
    type: row.type,
    version: of.version,
    topic: row.topic,
    partition: row.partition,
    offset: row.offset,
    key: row.key,
    time: row.time.getTime(),
    tenant: brandId<TenantId>(row.tenant),
    mode: modeOf(row.mode),
    traceparent: row.traceparent,
    causationId: row.causation_id,
    correlationId: row.correlation_id,
    timer: timerId === undefined || generation === undefined ? null : { id: timerId, generation: BigInt(generation) },
    data: upcast(row, of),
  }
}

function upcast(row: Pick<EventRow, 'id' | 'type' | 'version' | 'data'>, of: EventType): unknown {
  const data = of.upcasters.slice(row.version - 1).reduce<unknown>((older, step) => step(older as never), row.data)
  const { read } = validatorsOf(of)
  if (!read.Check(data)) throw new EventInvalid(`${row.type} ${row.id}: ${whatIsWrong(read, data)}`)
  return data
}

function modeOf(text: string): Mode {
  if (text === 'test' || text === 'live') return text
  throw new EventInvalid(`mode is neither test nor live`)
}

/** Names the field, never its value: what is wrong may be personal. */
function whatIsWrong(validator: Validator, data: unknown): string {
  const [first] = validator.Errors(data)
  return first ? `${first.instancePath || '/'} ${first.message}` : 'does not fit its schema'
}
