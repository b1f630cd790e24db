import type { HrTime, SpanKind } from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import type { Clock } from './clock.ts'
import { traceIdOf } from './http-trace.ts'
import { type FinishedSpan, isSampled, spanIdOf, spanKinds, type Tracer } from './tracing.ts'
import type { TracingSettings } from './tracing-config.ts'

/** Spans that wait to be sent; past it they are dropped. About a kilobyte each. */
const QUEUE_MAX = 8_192
const BATCH_MAX = 1_024
const SEND_EVERY_MS = 1_000
/** Longest that stopping waits for what has not been sent. */
const CLOSE_MS = 1_000
/** A batch that was not taken by then is dropped; also what a collector that hangs may keep a process after its end. */
const EXPORT_MS = 3_000

/** What became of the spans recorded; those of neither outcome were dropped or wait. */
export type SpanCounts = { readonly recorded: number; readonly exported: number; readonly failed: number }

export type OtlpTracer = Tracer & { counts(): SpanCounts }

/**
 * Sends spans to an OTLP collector over HTTP, in batches behind a bounded queue. The SDK is loaded here and nowhere
 * else: without a collector nobody pays for it. Spans are handed over finished, because their ids are not the SDK's to
 * choose: they are in the events.
 */
export async function openOtlpTracer(
  { url, serviceName, ratio }: TracingSettings,
  { clock, version }: { clock: Clock; version: string },
): Promise<OtlpTracer> {
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace')
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http')
  const counts = { recorded: 0, exported: 0, failed: 0 }
  const exporter = counted(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS }), counts)
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: QUEUE_MAX,
    maxExportBatchSize: BATCH_MAX,
    scheduledDelayMillis: SEND_EVERY_MS,
    exportTimeoutMillis: EXPORT_MS,
  })
  const base = { resource: resourceOf(serviceName, version), instrumentationScope: { name: 'millrace', version } }
  return {
    isOn: true,
    takes: (traceId) => isWithin(traceId, ratio),
    record(span) {
      if (!isSampled(span.traceparent)) return
      counts.recorded++
      processor.onEnd({ ...base, ...readable(span) })
    },
    async close() {
      const over = new AbortController()
      const late = clock.sleep(CLOSE_MS, over.signal)
      await Promise.race([processor.shutdown().catch(() => {}), late])
      over.abort()
    },
    counts: () => ({ ...counts }),
  }
}

function counted(exporter: SpanExporter, counts: { exported: number; failed: number }): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code === 0) counts.exported += spans.length
        else counts.failed += spans.length
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
  }
}

/** By the last 52 bits of the trace id, which are random: every process takes the same traces. */
function isWithin(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 16 ** 13
}

/** Who the spans are from. */
function resourceOf(serviceName: string, version: string): ReadableSpan['resource'] {
  const attributes = { 'service.name': serviceName, 'service.version': version }
  const resource: ReadableSpan['resource'] = {
    attributes,
    merge: () => resource,
    getRawAttributes: () => Object.entries(attributes),
  }
  return resource
}

/** As the numbers of SpanKind in the API: its enum would have to be loaded. */
const kinds = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const satisfies Record<
  string,
  SpanKind
>
const ERROR = 2
const UNSET = 0

function readable(span: FinishedSpan): Omit<ReadableSpan, 'resource' | 'instrumentationScope'> {
  const { traceparent, parentId, attributes, links = [], error } = span
  const own = contextOf(traceparent)
  const parent =
    parentId === undefined
      ? {}
      : { parentSpanContext: { ...own, spanId: parentId, isRemote: span.isParentRemote === true } }
  return {
    name: span.kind === 'request' ? span.subject : `${span.kind} ${span.subject}`,
    kind: kinds[spanKinds[span.kind]],
    spanContext: () => own,
    ...parent,
    startTime: hrTime(span.startedAt),
    endTime: hrTime(span.endedAt),
    duration: hrTime(span.endedAt - span.startedAt),
    status: error === undefined ? { code: UNSET } : { code: ERROR, message: error },
    attributes: { ...attributes },
    links: links.map((link) => ({ context: contextOf(link) })),
    events: [],
    ended: true,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function contextOf(traceparent: string) {
  return { traceId: traceIdOf(traceparent), spanId: spanIdOf(traceparent), traceFlags: isSampled(traceparent) ? 1 : 0 }
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000)
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1_000_000))]
}
