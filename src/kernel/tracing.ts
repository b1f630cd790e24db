import { hash } from 'node:crypto'
import type { Clock } from './clock.ts'

/** Every kind of span there is, with what it is one of. Names stay few: what differs from span to span is an attribute. */
export const spanKinds = {
  /** A request to the API, or a gateway's webhook. Named by method and route. */
  request: 'server',
  /** The door took an event that goes on with a trace begun elsewhere than in the request that brought it. */
  accept: 'producer',
  /** A group handled one event. */
  handle: 'consumer',
  /** The transaction in which a group handled a batch; what it handled links to it. */
  batch: 'internal',
  /** A fact was published, by a group or as the outcome of a delivery. */
  publish: 'producer',
  /** A timer was set: when it fires, its event goes on from here. */
  schedule: 'producer',
  /** One attempt of a delivery. */
  deliver: 'client',
} as const

/** Attributes that spans carry. No id of a person and nothing that a person wrote is among them. */
export type SpanAttributes = {
  readonly 'http.request.method'?: string
  readonly 'http.route'?: string
  readonly 'http.response.status_code'?: number
  readonly 'messaging.system'?: 'millrace'
  /** The topic. */
  readonly 'messaging.destination.name'?: string
  readonly 'messaging.destination.partition.id'?: string
  readonly 'messaging.consumer.group.name'?: string
  /** The event. */
  readonly 'messaging.message.id'?: string
  readonly 'messaging.batch.message_count'?: number
  readonly 'millrace.payment'?: string
  readonly 'millrace.mode'?: string
  readonly 'millrace.destination'?: string
  readonly 'millrace.delivery.attempt'?: number
  readonly 'millrace.delivery.kind'?: string
  readonly 'millrace.delivery.outcome'?: string
}

/** What was done, told after it was done: its id was known before, because it is in the events that follow from it. */
export type FinishedSpan = {
  readonly kind: keyof typeof spanKinds
  /** What it is done to, out of the code: a route, an event type, a group. With the kind it is the span's name. */
  readonly subject: string
  /** Its own trace, id and flags. */
  readonly traceparent: string
  readonly parentId: string | undefined
  /** Whether the parent belongs to somebody else's system. */
  readonly isParentRemote?: boolean
  /** Unix milliseconds, with fractions. */
  readonly startedAt: number
  readonly endedAt: number
  readonly attributes: SpanAttributes
  /** Spans of other traces, as traceparents. */
  readonly links?: readonly string[]
  /** Why it failed, out of the code; nobody's text. */
  readonly error?: string
}

/** Where spans go. Recording never fails, never waits and holds a bounded number. */
export type Tracer = {
  /** False: nothing is recorded, and nothing has to be prepared for it. */
  readonly isOn: boolean
  /** Whether a trace that begins here is one to record. */
  takes(traceId: string): boolean
  /** Spans whose traceparent is not marked as sampled are passed over. */
  record(span: FinishedSpan): void
  /** Sends what is held, for at most a second. */
  close(): Promise<void>
}

export const noTracer: Tracer = { isOn: false, takes: () => true, record: () => {}, close: async () => {} }

/** The W3C trace context of one span, as in `00-<trace id>-<span id>-<flags>`. */
export function traceparentOf(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

export function spanIdOf(traceparent: string): string {
  return traceparent.slice(36, 52)
}

/** The lowest bit of the flags. */
export function isSampled(traceparent: string): boolean {
  return (Number.parseInt(traceparent.slice(53), 16) & 1) === 1
}

/** The same trace and flags with another span. */
export function withSpanId(traceparent: string, spanId: string): string {
  return `${traceparent.slice(0, 36)}${spanId}${traceparent.slice(52)}`
}

/**
 * A span below the one given, named by what it does there: a pure function, so that whoever records the parent and
 * whoever records the child need not have met.
 */
export function childOf(traceparent: string, ...names: readonly string[]): string {
  return withSpanId(traceparent, hash('sha256', [traceparent, ...names].join('\n'), 'hex').slice(0, 16))
}

/** Instants with the resolution of the monotonic clock, in Unix milliseconds. */
export type Stopwatch = { readonly startedAt: number; endedAt(): number }

export function startStopwatch(clock: Clock): Stopwatch {
  const startedAt = clock.now()
  const startedMs = clock.monotonicMs()
  return { startedAt, endedAt: () => startedAt + clock.monotonicMs() - startedMs }
}
