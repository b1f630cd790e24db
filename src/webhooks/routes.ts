import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { Mode } from '#kernel/ids'
import { type Admin, OVERLAP_DEFAULT_S } from './administer.ts'
import * as shapes from './shapes.ts'

export type WebhookRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: Mode }
  }
  readonly cursors: Cursors
  readonly endpoints: Admin
}

const ENDPOINTS = '/v1/webhook-endpoints'
const ENDPOINT = `${ENDPOINTS}/:id`
const PULL_DEFAULT = 100
const listQuery = Type.Object(pageQuery, { additionalProperties: false })
const attemptQuery = Type.Object({ sequence: shapes.sequenceFilter, ...pageQuery }, { additionalProperties: false })
const place = Compile(Type.Tuple([Type.String(), Type.Integer()]))
const notFound = ['webhook_endpoint_not_found'] as const

/** Endpoints: who is told, and of what. */
export function webhookRoutes(server: HttpServer, ports: WebhookRoutePorts): void {
  const { callers, cursors, endpoints } = ports
  const onRequest = callers.check
  const refOf = (request: FastifyRequest, id: string) => {
    const { tenant, mode } = callers.of(request)
    return { tenant, mode, id }
  }

  const create = {
    summary: 'Make a webhook endpoint',
    description: 'The answer holds the signing secret, which is shown this once.',
    body: shapes.NewEndpoint,
    refusals: ['webhook_url_refused', 'webhook_endpoints_too_many'] as const,
    response: { 201: shapes.CreatedEndpoint },
  }
  server.post(ENDPOINTS, { onRequest, schema: create }, async (request, reply) => {
    const { tenant, mode } = callers.of(request)
    return reply.code(201).send(await endpoints.create({ tenant, mode }, request.body, request))
  })

  const list = {
    summary: 'List webhook endpoints',
    querystring: listQuery,
    refusals: ['cursor_invalid', 'parameter_invalid'] as const,
    response: { 200: pageOf(shapes.Endpoint, 'A page of endpoints.') },
  }
  server.get(ENDPOINTS, { onRequest, schema: list }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const scope = `webhook-endpoints/${tenant}/${mode}`
    const { cursor } = request.query
    const limit = pageLimit(request.query.limit)
    const after = cursor === undefined ? '' : cursors.read(scope, cursor, 'cursor').toString()
    const found = await endpoints.list({ tenant, mode }, after, limit + 1)
    const data = found.slice(0, limit)
    const last = found.length > limit ? data.at(-1) : undefined
    const next_cursor = last ? cursors.write(scope, Buffer.from(last.id)) : null
    return { data, has_more: last !== undefined, next_cursor }
  })

  const get = {
    summary: 'A webhook endpoint',
    params: shapes.params,
    refusals: notFound,
    response: { 200: shapes.Endpoint },
  }
  server.get(ENDPOINT, { onRequest, schema: get }, (request) => endpoints.get(refOf(request, request.params.id)))

  const change = {
    summary: 'Change, disable or enable a webhook endpoint',
    params: shapes.params,
    body: shapes.EndpointPatch,
    refusals: [...notFound, 'webhook_url_refused'] as const,
    response: { 200: shapes.Endpoint },
  }
  server.patch(ENDPOINT, { onRequest, schema: change }, (request) =>
    endpoints.change(refOf(request, request.params.id), request.body, request),
  )

  const remove = { summary: 'Delete a webhook endpoint', params: shapes.params, refusals: notFound }
  server.delete(ENDPOINT, { onRequest, schema: remove }, async (request, reply) => {
    await endpoints.remove(refOf(request, request.params.id), request)
    return reply.code(204).send()
  })

  const rotate = {
    summary: 'Replace the signing secret of a webhook endpoint',
    description: 'The old one signs beside the new one for overlap_seconds. The new one is shown this once.',
    params: shapes.params,
    body: shapes.Rotation,
    refusals: notFound,
    response: { 200: shapes.NewSecret },
  }
  server.post(`${ENDPOINT}/rotate-secret`, { onRequest, schema: rotate }, async (request) => {
    const { overlap_seconds: overlap = OVERLAP_DEFAULT_S } = request.body
    return { secret: await endpoints.rotateSecret(refOf(request, request.params.id), overlap, request) }
  })
  streamRoutes(server, ports, refOf)
}

type RefOf = (request: FastifyRequest, id: string) => { tenant: string; mode: Mode; id: string }

/** What an endpoint was, is and will be sent. */
function streamRoutes(server: HttpServer, { callers, cursors, endpoints }: WebhookRoutePorts, refOf: RefOf): void {
  const onRequest = callers.check

  const pull = {
    summary: 'Pull the messages of a webhook endpoint',
    description: 'The same messages under the same sequences as are sent: for whoever has missed some.',
    params: shapes.params,
    querystring: shapes.pullQuery,
    refusals: [...notFound, 'parameter_invalid', 'webhook_messages_dropped'] as const,
    response: { 200: shapes.Pulled },
  }
  server.get(`${ENDPOINT}/events`, { onRequest, schema: pull }, (request) => {
    const { after = '0', limit = String(PULL_DEFAULT) } = request.query
    return endpoints.pull(refOf(request, request.params.id), Number(after), Number(limit))
  })

  const attempts = {
    summary: 'List attempts to deliver to a webhook endpoint',
    description: 'Newest message first, each with what was sent and answered. Signatures are masked.',
    params: shapes.params,
    querystring: attemptQuery,
    refusals: [...notFound, 'cursor_invalid', 'parameter_invalid'] as const,
    response: { 200: pageOf(shapes.Attempt, 'A page of attempts.') },
  }
  server.get(`${ENDPOINT}/attempts`, { onRequest, schema: attempts }, async (request) => {
    const ref = refOf(request, request.params.id)
    const { sequence, cursor } = request.query
    const scope = `webhook-attempts/${ref.tenant}/${ref.mode}/${ref.id}/${sequence ?? ''}`
    const below = cursor === undefined ? {} : { below: placeOf(cursors.read(scope, cursor, 'cursor')) }
    const only = sequence === undefined ? {} : { sequence: Number(sequence) }
    const { data, next } = await endpoints.attempts(ref, { ...only, ...below, limit: pageLimit(request.query.limit) })
    const next_cursor = next ? cursors.write(scope, Buffer.from(JSON.stringify(next))) : null
    return { data, has_more: next !== undefined, next_cursor }
  })

  const resend = {
    summary: 'Send a message once more',
    params: shapes.messageParams,
    refusals: [...notFound, 'webhook_message_not_found', 'parameter_invalid'] as const,
    response: { 202: shapes.Resent },
  }
  server.post(`${ENDPOINT}/events/:sequence/resend`, { onRequest, schema: resend }, async (request, reply) => {
    const sequence = Number(request.params.sequence)
    await endpoints.resend(refOf(request, request.params.id), sequence)
    return reply.code(202).send({ sequence })
  })

  const replay = {
    summary: 'Send all messages since a sequence or time once more',
    params: shapes.params,
    body: shapes.Replay,
    refusals: [...notFound, 'webhook_messages_dropped'] as const,
    response: { 202: shapes.Replayed },
  }
  server.post(`${ENDPOINT}/replay`, { onRequest, schema: replay }, async (request, reply) => {
    const from = sinceOf(request.body)
    return reply.code(202).send(await endpoints.replay(refOf(request, request.params.id), from))
  })

  const resume = {
    summary: 'Enable a webhook endpoint, and go on behind what was pulled',
    params: shapes.params,
    body: shapes.Resumption,
    refusals: notFound,
    response: { 200: shapes.Endpoint },
  }
  server.post(`${ENDPOINT}/resume`, { onRequest, schema: resume }, (request) =>
    endpoints.resume(refOf(request, request.params.id), request.body.after, request),
  )

  const test = {
    summary: 'Send a test message to a webhook endpoint',
    params: shapes.params,
    refusals: notFound,
    response: { 202: shapes.Tested },
  }
  server.post(`${ENDPOINT}/test`, { onRequest, schema: test }, async (request, reply) =>
    reply.code(202).send(await endpoints.test(refOf(request, request.params.id), request)),
  )
}

function sinceOf({ after, since }: { after?: number; since?: string }): { after: number } | { since: number } {
  if (after !== undefined && since === undefined) return { after }
  const at = since === undefined || after !== undefined ? Number.NaN : Date.parse(since)
  if (!Number.isNaN(at)) return { since: at }
  throw new Refusal('body_invalid', {
    field: 'after',
    detail: 'either after, a sequence, or since, a time, is required',
  })
}

function placeOf(bytes: Buffer): [string, number] {
  const found: unknown = JSON.parse(bytes.toString())
  if (!place.Check(found)) throw new Refusal('cursor_invalid', { field: 'cursor' })
  return found
}
