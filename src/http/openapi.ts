import type { FastifySchema, RouteOptions } from 'fastify'
import type { TSchema } from 'typebox'
import { type RefusalCode, refusals } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { type Example, examples } from './examples.ts'
import { Problem } from './schemas.ts'

export type Operation = {
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly security: readonly object[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: true; readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
  /** Requests that run as they stand. */
  readonly 'x-examples': readonly Example[]
}
export type Parameter = {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly description?: string
  readonly schema: object
}
export type Response = { readonly description: string; readonly content?: Content }
type Content = Readonly<Record<string, { readonly schema: object; readonly examples?: object }>>

/** What is looked at of a JSON Schema. */
type Keywords = {
  readonly properties?: Readonly<Record<string, Keywords>>
  readonly required?: readonly string[]
  readonly description?: string
  readonly type?: unknown
}

type Route = {
  readonly method: string
  readonly url: string
  readonly schema: FastifySchema
  readonly isKeyed: boolean
}

/** Hears of every route that is declared from now on; the document is made of those that have a summary. */
export function collectRoutes(server: HttpServer): readonly Route[] {
  const routes: Route[] = []
  server.addHook('onRoute', ({ method, url, schema, onRequest }: RouteOptions) => {
    // Fastify adds a HEAD for every GET.
    for (const one of [method].flat()) {
      if (one !== 'HEAD' && schema?.summary) routes.push({ method: one, url, schema, isKeyed: onRequest !== undefined })
    }
  })
  return routes
}

/** The OpenAPI 3.1 document of what is served. Schemas of TypeBox are JSON Schemas, which 3.1 takes as they are. */
export function openApiOf(routes: readonly Route[], about: { version: string; versions: readonly string[] }) {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const route of routes) {
    const path = pathOf(route.url)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, about.versions) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: about.version,
      description:
        'Amounts are whole minor units of their currency: 1999 is 19.99 EUR. Every mistake is answered with a problem of ' +
        'RFC 9457, whose `code` never changes its meaning.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: mr_test_… or mr_live_…' },
      },
      schemas: { Problem },
    },
  } as const
}

function operationOf({ method, url, schema, isKeyed }: Route, versions: readonly string[]): Operation {
  const own = examples.filter(({ route }) => route === `${method} ${url}`)
  const body = keywordsOf(schema.body)
  return {
    operationId: `${method.toLowerCase()}${url
      .replace(/^\/v\d+/, '')
      .replaceAll(':', 'by_')
      .replaceAll(/\W+/g, '_')}`,
    summary: schema.summary ?? '',
    ...(schema.description === undefined ? {} : { description: schema.description }),
    tags: [url.split('/')[2] ?? 'probes'],
    security: isKeyed ? [{ apiKey: [] }] : [],
    parameters: [
      ...parametersOf('path', keywordsOf(schema.params), url),
      ...parametersOf('query', keywordsOf(schema.querystring)),
      ...headersOf(schema, isKeyed ? versions : []),
    ],
    ...(body
      ? { requestBody: { required: true, content: { 'application/json': { schema: body, ...examplesOf(own) } } } }
      : {}),
    responses: { ...answersOf(schema, own), ...problemsOf(codesOf(schema, isKeyed)) },
    'x-examples': own,
  }
}

/** Path parameters are all required, and known by the address even where no schema names them. */
function parametersOf(place: 'path' | 'query', schema: Keywords | undefined, url = ''): Parameter[] {
  const inPath = [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => [name, { type: 'string' }] as const)
  const properties: Record<string, Keywords> = { ...Object.fromEntries(inPath), ...schema?.properties }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required?.includes(name) ?? false),
    ...(property.description === undefined ? {} : { description: property.description }),
    schema: property,
  }))
}

function headersOf({ headersRead = {} }: FastifySchema, versions: readonly string[]): Parameter[] {
  const named = Object.entries(headersRead).map(([name, { description, isRequired = false }]) => {
    return { name, in: 'header', required: isRequired, description, schema: { type: 'string' } }
  })
  if (versions.length === 0) return named
  const description = 'The version to be spoken to in; the one the key was made with by default. Answers name it.'
  return [
    ...named,
    {
      name: 'Millrace-Version',
      in: 'header',
      required: false,
      description,
      schema: { type: 'string', enum: versions },
    },
  ]
}

function answersOf({ response }: FastifySchema, own: readonly Example[]): Record<string, Response> {
  const isStream = own.some(({ headers }) => headers?.Accept === 'text/event-stream')
  // A route that declares no answer gives none.
  if (typeof response !== 'object' || response === null) return { 204: { description: 'Done.' } }
  return Object.fromEntries(
    Object.entries(response).map(([status, answer]) => {
      const schema = keywordsOf(answer)
      const content = {
        'application/json': { schema: schema ?? {} },
        ...(isStream ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
      }
      return [status, { description: schema?.description ?? 'As asked for.', content }]
    }),
  )
}

function examplesOf(own: readonly Example[]): { examples?: object } {
  const withBody = own.filter(({ body }) => body !== undefined)
  if (withBody.length === 0) return {}
  return { examples: Object.fromEntries(withBody.map(({ summary, body }) => [summary, { summary, value: body }])) }
}

/** A refusal of the schema itself, and those that stand before any handler. */
function codesOf({ refusals: own = [], body, params, querystring }: FastifySchema, isKeyed: boolean): RefusalCode[] {
  const ofKey: RefusalCode[] = ['api_key_invalid', 'rate_limited', 'version_unknown']
  const ofBody: RefusalCode[] = ['body_invalid', 'body_malformed', 'body_too_large', 'content_type_unsupported']
  return [
    ...new Set<RefusalCode>([
      ...own,
      ...(isKeyed ? ofKey : []),
      ...(body ? ofBody : []),
      ...(params || querystring ? (['parameter_invalid'] as const) : []),
      'database_unavailable',
      'internal',
    ]),
  ]
}

function problemsOf(codes: readonly RefusalCode[]): Record<string, Response> {
  const byStatus = Map.groupBy(codes, (code) => refusals[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => {
      const description = same.map((code) => `\`${code}\`: ${refusals[code].title}.`).join('\n\n')
      const schema = { $ref: '#/components/schemas/Problem' }
      return [String(status), { description, content: { 'application/problem+json': { schema } } }]
    }),
  )
}

function pathOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, '{$1}')
}

function keywordsOf(schema: unknown): (Keywords & TSchema) | undefined {
  return typeof schema === 'object' && schema !== null ? schema : undefined
}
