import { hash } from 'node:crypto'
import type { Static, TSchema } from 'typebox'
import type { Mode, TenantId } from '#kernel/ids'
import type { DataKey } from '#kernel/seal'

/** Declares a type of event: its name, the topic it lives on, and what its data must look like. */
export type EventType<Name extends string = string, Data = unknown> = {
  readonly type: Name
  readonly topic: string
  /** Grows with every change of the schema; readers upcast older data, and stop at newer. */
  readonly version: number
  readonly schema: TSchema
  /** Fields that hold personal data: always a sealed string in the log, never clear text. */
  readonly sealed: readonly string[]
  /** What sealed bytes are kept beside the event, if any: no consumer is handed them, so no consumer pays for them. */
  readonly attachment: string | undefined
  /** `upcasters[n]` turns data of version n + 1 into version n + 2. */
  readonly upcasters: readonly ((data: never) => unknown)[]
  /** Never set: carries the static type of the data. */
  readonly data?: Data
}

export function eventType<const Name extends string, Schema extends TSchema>(definition: {
  type: Name
  topic: string
  schema: Schema
  sealed?: readonly string[]
  attachment?: string
  upcasters?: readonly ((data: never) => unknown)[]
}): EventType<Name, Static<Schema>> {
  const upcasters = definition.upcasters ?? []
  const { sealed = [], attachment } = definition
  return { ...definition, sealed, attachment, upcasters, version: upcasters.length + 1 }
}

export type DataOf<Type> = Type extends EventType<string, infer Data> ? Data : never

/** An event as it stands on the log. `time` is the instant of the append, in Unix milliseconds. */
export type RecordedEvent<Name extends string = string, Data = unknown> = {
  readonly id: string
  readonly type: Name
  readonly version: number
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly time: number
  readonly tenant: TenantId
  readonly mode: Mode
  readonly traceparent: string
  readonly causationId: string | null
  readonly correlationId: string
  /** Set when a timer fired it. */
  readonly timer: { readonly id: string; readonly generation: bigint } | null
  readonly data: Data
}

/** A union of recorded events, one member for each of the given types. */
export type EventOf<Type> = Type extends EventType<infer Name, infer Data> ? RecordedEvent<Name, Data> : never

/** An event before the log has it. */
export type NewEvent = {
  readonly id: string
  readonly of: EventType
  readonly key: string
  readonly tenant: TenantId
  readonly mode: Mode
  readonly traceparent: string
  readonly causationId: string | null
  readonly correlationId: string
  readonly data: unknown
  /** Sealed bytes, for a type that declares an attachment. */
  readonly attachment?: Buffer
  /** What was sealed under: stored with the event. */
  readonly dataKeys?: readonly DataKey[]
  /** Traceparent of what it follows from: its cause's, or that of a trace that comes back to us. For tracing only. */
  readonly follows?: string
  /** Traceparent of the request it came in, where that is of another trace. For tracing only. */
  readonly cameIn?: string
}

/**
 * The event that follows from another: same tenant, mode and trace, caused by it. Its id is a pure
 * function of the cause, the type and `part`, so deciding twice yields the same event. `part` tells
 * apart several facts of one type from one cause.
 */
export function follow<Name extends string, Data>(
  cause: Pick<RecordedEvent, 'id' | 'key' | 'tenant' | 'mode' | 'traceparent' | 'correlationId'>,
  of: EventType<Name, Data>,
  data: NoInfer<Data>,
  about: { key?: string; part?: string } = {},
): NewEvent {
  const digest = hash('sha256', `${cause.id}\n${of.type}\n${about.part ?? ''}`, 'hex')
  return {
    id: `evt_${digest.slice(0, 32)}`,
    of,
    key: about.key ?? cause.key,
    tenant: cause.tenant,
    mode: cause.mode,
    traceparent: `${cause.traceparent.slice(0, 36)}${digest.slice(32, 48)}${cause.traceparent.slice(52)}`,
    causationId: cause.id,
    correlationId: cause.correlationId,
    data,
    follows: cause.traceparent,
  }
}
