import { createBoundedCache } from '#kernel/bounded-cache'
import type { Clock } from '#kernel/clock'
import { traceIdOf } from '#kernel/http-trace'
import { spanIdOf, type Tracer, withSpanId } from '#kernel/tracing'
import type { NewEvent } from './event.ts'

/** Payments asked for while their gateway answers and reports; a hundred a second fit for some minutes. */
const TRACES_MAX = 50_000
/** What comes back later than this is told in a trace of its own. */
const AGE_MAX_MS = 15 * 60 * 1000

/**
 * The traces of what this door took lately, by tenant and key. Gateways carry no trace context back to us; what they
 * report of a payment that was asked for here goes on in the trace of the request. It is a convenience of whoever
 * reads traces, and may be forgotten at any time: cause and correlation of events do not depend on it.
 */
export type RecentTraces = {
  learn(events: readonly NewEvent[]): void
  /** The event as part of the trace that took the key last, if that is known and another. */
  continued(event: NewEvent, key: string | undefined): NewEvent
}

export function createRecentTraces(tracer: Tracer, clock: Clock): RecentTraces {
  if (!tracer.isOn) return { learn: () => {}, continued: (event) => event }
  const traces = createBoundedCache<string>(clock, { entriesMax: TRACES_MAX, ageMaxMs: AGE_MAX_MS })
  return {
    learn(events) {
      for (const { tenant, key, traceparent, follows } of events) {
        if (key.startsWith('pay_') && follows === undefined)
          traces.set(`${tenant}/${key}`, traceparent, clock.monotonicMs())
      }
    },
    continued(event, key) {
      const known = key === undefined ? undefined : traces.get(`${event.tenant}/${key}`)
      if (known === undefined || traceIdOf(known) === traceIdOf(event.traceparent)) return event
      const traceparent = withSpanId(known, spanIdOf(event.traceparent))
      return { ...event, traceparent, follows: known, cameIn: event.traceparent }
    },
  }
}
