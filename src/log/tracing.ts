import {
  childOf,
  isSampled,
  type SpanAttributes,
  type Stopwatch,
  spanIdOf,
  type Tracer,
  traceparentOf,
} from '#kernel/tracing'
import type { NewEvent } from './event.ts'
import type { EventRow } from './sql.ts'

// How the log's spans hang together. Every event has a span of its own, named by its traceparent: that of the request
// that brought it, or `publish` where it follows from another. A group's handling of an event is a span below the
// event's, and what the group publishes for it hangs below that. All ids are known from the events alone.

/** What a batch did, once it is committed. */
export type TracedBatch = {
  readonly group: string
  readonly rows: readonly EventRow[]
  readonly published: readonly NewEvent[]
  /** Events of timers. */
  readonly scheduled: readonly NewEvent[]
}

/** The span of a group's handling of the event. */
export function handlingOf(traceparent: string, group: string): string {
  return childOf(traceparent, group)
}

/** Tells of a batch that was committed; with `error`, of one that was parked. */
export function traceBatch(
  tracer: Tracer | undefined,
  { group, ...batch }: TracedBatch,
  watch: Stopwatch,
  error?: string,
): void {
  if (!tracer) return
  const times = { startedAt: watch.startedAt, endedAt: watch.endedAt() }
  traceHandled(tracer, batch.rows, { group, times, error })
  const below = (cause: string): string => handlingOf(cause, group)
  tracePublished(tracer, batch.published, below, times)
  tracePublished(tracer, batch.scheduled, below, times, 'schedule')
}

type Times = { readonly startedAt: number; readonly endedAt: number }
type Handling = { readonly group: string; readonly times: Times; readonly error: string | undefined }

function traceHandled(tracer: Tracer, all: readonly EventRow[], { group, times, error }: Handling): void {
  const rows = all.filter(({ traceparent }) => isSampled(traceparent))
  const [first] = rows
  if (first === undefined) return
  const about = { ...times, ...(error === undefined ? {} : { error }) }
  const whole = batchOf(first, group)
  for (const row of rows) {
    tracer.record({
      ...about,
      kind: 'handle',
      subject: row.type,
      // A retry that succeeds later is another span.
      traceparent: error === undefined ? handlingOf(row.traceparent, group) : childOf(row.traceparent, group, error),
      parentId: spanIdOf(row.traceparent),
      attributes: {
        ...aboutEvent(row.id, row.topic, row.key, row.mode),
        'messaging.destination.partition.id': String(row.partition),
        'messaging.consumer.group.name': group,
      },
      links: [whole],
    })
  }
  tracer.record({
    ...about,
    kind: 'batch',
    subject: group,
    traceparent: whole,
    parentId: undefined,
    attributes: { 'messaging.consumer.group.name': group, 'messaging.batch.message_count': all.length },
  })
}

/** Tells of events that follow from others: `below` names the span that published them, given that of their cause. */
export function tracePublished(
  tracer: Tracer,
  events: readonly NewEvent[],
  below: (cause: string) => string,
  times: Times,
  kind: 'publish' | 'schedule' = 'publish',
): void {
  for (const { id, of, key, mode, traceparent, follows } of events) {
    if (!isSampled(traceparent)) continue
    tracer.record({
      ...times,
      kind,
      subject: of.type,
      traceparent,
      parentId: follows === undefined ? undefined : spanIdOf(below(follows)),
      attributes: aboutEvent(id, of.topic, key, mode),
    })
  }
}

/** Tells of events at the door that go on with another trace than that of the request they came in. */
export function traceAccepted(tracer: Tracer, events: readonly NewEvent[], watch: Stopwatch): void {
  for (const { id, of, key, mode, traceparent, follows, cameIn } of events) {
    if (follows === undefined) continue
    tracer.record({
      startedAt: watch.startedAt,
      endedAt: watch.endedAt(),
      kind: 'accept',
      subject: of.type,
      traceparent,
      parentId: spanIdOf(follows),
      attributes: aboutEvent(id, of.topic, key, mode),
      links: cameIn === undefined ? [] : [cameIn],
    })
  }
}

/** Of the key, only a payment's id is told: keys of other topics may name whoever they like. */
function aboutEvent(id: string, topic: string, key: string, mode: string): SpanAttributes {
  return {
    'messaging.system': 'millrace',
    'messaging.destination.name': topic,
    'messaging.message.id': id,
    'millrace.mode': mode,
    ...(key.startsWith('pay_') ? { 'millrace.payment': key } : {}),
  }
}

/** A trace of its own, because a transaction belongs to no one event; named after the first that it handled. */
function batchOf({ traceparent, id }: EventRow, group: string): string {
  const name = (part: string): string => spanIdOf(childOf(traceparent, group, id, part))
  return traceparentOf(`${name('high')}${name('low')}`, name('span'), true)
}
