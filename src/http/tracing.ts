import type { FastifyRequest } from 'fastify'
import type { Clock } from '#kernel/clock'
import type { HttpServer } from '#kernel/http'
import { traceIdOf } from '#kernel/http-trace'
import type { Random } from '#kernel/random'
import {
  isSampled,
  type Stopwatch,
  spanIdOf,
  startStopwatch,
  type Tracer,
  traceparentOf,
  withSpanId,
} from '#kernel/tracing'

type Begun = { readonly watch: Stopwatch; readonly parentId: string | undefined }

/**
 * Gives every request a span of its own: below the caller's where the caller sent a trace along, else the first of a
 * new trace. What follows from the request names this span as its cause, so it is there whether or not it is recorded.
 */
export function traceRequests(
  server: HttpServer,
  { tracer, clock, random }: { tracer: Tracer; clock: Clock; random: Random },
): void {
  const begun = new WeakMap<FastifyRequest, Begun>()

  server.addHook('onRequest', (request, _, done) => {
    const given = request.traceparent
    const isCallers = given === request.headers.traceparent
    const traceId = traceIdOf(given)
    const isRecorded = isCallers ? isSampled(given) : tracer.takes(traceId)
    if (isCallers) request.traceparent = withSpanId(given, random.bytes(8).toString('hex'))
    else if (!isRecorded) request.traceparent = traceparentOf(traceId, spanIdOf(given), false)
    if (tracer.isOn && isRecorded) {
      begun.set(request, { watch: startStopwatch(clock), parentId: isCallers ? spanIdOf(given) : undefined })
    }
    done()
  })

  if (!tracer.isOn) return
  server.addHook('onResponse', (request, reply, done) => {
    const mine = begun.get(request)
    const route = request.routeOptions.url
    // Probes and scrapers ask every few seconds, and nothing follows from what they ask.
    if (mine && route?.startsWith('/v1/')) {
      const { method, traceparent } = request
      tracer.record({
        kind: 'request',
        subject: `${method} ${route}`,
        traceparent,
        parentId: mine.parentId,
        isParentRemote: true,
        startedAt: mine.watch.startedAt,
        endedAt: mine.watch.endedAt(),
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': reply.statusCode,
        },
        ...(reply.statusCode >= 500 ? { error: String(reply.statusCode) } : {}),
      })
    }
    done()
  })
}
