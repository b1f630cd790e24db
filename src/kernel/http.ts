import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyTypeProvider,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import type { Logger } from 'pino'
import type { Static, TSchema } from 'typebox'
import type { Clock } from './clock.ts'
import { Refusal, type RefusalCode } from './errors.ts'
import { answerBrokenRequest } from './http-broken.ts'
import { parseJson } from './http-json.ts'
import { methodsAt, type RouteTable } from './http-methods.ts'
import { isOurFault, problemType, toProblem, toRefusal } from './http-problem.ts'
import { compileRequestSchema } from './http-schema.ts'
import { acceptTraceparent, traceIdOf } from './http-trace.ts'
import type { Random } from './random.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The bytes as they came, for signatures; empty where there was no body. */
    rawBody: Buffer
    /** W3C trace context: the caller's where it was well formed, else a new one. */
    traceparent: string
    /** On the monotonic clock. */
    begunMs: number
  }
  /** What a route says of itself beside the shapes it takes and gives: the API's document is made of it. */
  interface FastifySchema {
    /** One line: what it does. Routes without one are for probes and gateways, and not in the document. */
    summary?: string
    description?: string
    /** Headers it reads, by name. */
    headersRead?: Readonly<Record<string, { readonly description: string; readonly isRequired?: boolean }>>
    /** Refusals of its own, beside those that any request can meet. */
    refusals?: readonly RefusalCode[]
  }
}

/** Gives handlers the static types of their TypeBox schemas. */
interface TypeBoxProvider extends FastifyTypeProvider {
  validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown
  serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown
}

export type HttpServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxProvider
>

export type HttpServerOptions = {
  logger: Logger
  clock: Clock
  random: Random
  /** The largest body in bytes; routes may set a `bodyLimit` of their own. */
  bodyLimit: number
}

const httpLimits = {
  /** A request has to be here whole by then; ends connections that trickle. */
  requestTimeoutMs: 30_000,
  /** Longer than any id or name in a path; the router answers 404 past it. */
  pathParameterMax: 256,
} as const

/** Safe for an API; a route that serves pages replaces the policy with its own. */
const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

/**
 * A Fastify server on which every answer to a mistake is an RFC 9457 problem, requests are checked
 * against their schemas without coercion, and nothing of a request but its route reaches the log.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const server = fastify({
    logger: false,
    bodyLimit: options.bodyLimit,
    requestTimeout: httpLimits.requestTimeoutMs,
    routerOptions: { maxParamLength: httpLimits.pathParameterMax },
    // While closing, requests that are already connected are answered as ever.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, options.random),
    frameworkErrors: (error, request, reply) => {
      begin(request, reply)
      refuse(error, request, reply)
    },
  }).withTypeProvider<TypeBoxProvider>()

  function begin(request: FastifyRequest, reply: FastifyReply): void {
    request.begunMs = options.clock.monotonicMs()
    request.rawBody = noBody
    request.traceparent = acceptTraceparent(request.headers.traceparent, options.random)
    reply.headers(securityHeaders)
  }

  function refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const refusal = toRefusal(error)
    if (isOurFault(refusal)) options.logger.error({ err: error, ...aboutRequest(request) }, 'request failed')
    sendRefusal(refusal, request, reply)
  }

  server.decorateRequest('rawBody')
  server.decorateRequest('traceparent')
  server.decorateRequest('begunMs')
  server.addHook('onRequest', (request, reply, done) => {
    begin(request, reply)
    done()
  })
  server.addHook('onResponse', (request, reply, done) => {
    if (options.logger.isLevelEnabled('info')) {
      const durationMs = Math.round((options.clock.monotonicMs() - request.begunMs) * 1_000) / 1_000
      options.logger.info({ ...aboutRequest(request), status: reply.statusCode, durationMs }, 'request')
    }
    done()
  })
  server.setErrorHandler(refuse)
  answerMissingRoutes(server)
  readJsonBodies(server)
  server.setValidatorCompiler(({ schema, httpPart }) => compileRequestSchema(schema, httpPart ?? 'body'))
  // Response schemas document, and are compared with real answers in tests. Made into a serializer, one that lags
  // behind its handler would drop fields in silence.
  server.setSerializerCompiler(() => JSON.stringify)
  return server
}

const noBody = Buffer.alloc(0)

/** What the log may know of a request: never the address it was sent to, its headers or its body. */
function aboutRequest(request: FastifyRequest) {
  return {
    method: request.method,
    route: request.routeOptions.url ?? 'none',
    traceId: traceIdOf(request.traceparent),
  }
}

function sendRefusal(refusal: Refusal, request: FastifyRequest, reply: FastifyReply): void {
  if (refusal.retryAfterSeconds !== undefined) reply.header('retry-after', String(refusal.retryAfterSeconds))
  if (refusal.status === 401) reply.header('www-authenticate', 'Bearer')
  const problem = toProblem(refusal, traceIdOf(request.traceparent))
  // As bytes, so that no response schema of the route is applied to it.
  void reply
    .code(refusal.status)
    .type(problemType)
    .send(Buffer.from(JSON.stringify(problem)))
}

/** 405 where another method is served at the address, else 404. */
function answerMissingRoutes(server: HttpServer): void {
  const routes: RouteTable = new Map()
  server.addHook('onRoute', ({ url, method }) => {
    const methods = Array.isArray(method) ? method : [method]
    routes.set(url, [...(routes.get(url) ?? []), ...methods])
  })
  server.setNotFoundHandler((request, reply) => {
    const methods = methodsAt(routes, request.url)
    if (methods.length > 0) reply.header('allow', methods.join(', '))
    sendRefusal(new Refusal(methods.length > 0 ? 'method_not_allowed' : 'route_not_found'), request, reply)
  })
}

function readJsonBodies(server: HttpServer): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    request.rawBody = body
    try {
      done(null, parseJson(body))
    } catch (error) {
      done(error instanceof Error ? error : new Error('parsing failed', { cause: error }))
    }
  })
}
