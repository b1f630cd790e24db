import { createHash } from 'node:crypto'
import { Refusal, refusals } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { docsPageOf } from './docs-page.ts'
import { docsStyle } from './docs-style.ts'
import type { openApiOf } from './openapi.ts'

/** Nothing but the page's own style, and links that lead away. */
const pagePolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(docsStyle).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The API's document, for machines and for people. Made once, when all routes are known. */
export function docsRoutes(server: HttpServer, document: () => ReturnType<typeof openApiOf>): void {
  let made: { readonly json: string; readonly page: string } | undefined
  const known = () => {
    made ??= { json: JSON.stringify(document()), page: docsPageOf(document()) }
    return made
  }
  server.get('/openapi.json', async (_, reply) => reply.type('application/json; charset=utf-8').send(known().json))
  server.get('/docs', async (_, reply) =>
    reply.type('text/html; charset=utf-8').header('content-security-policy', pagePolicy).send(known().page),
  )
  // Where the `type` of every problem leads.
  server.get<{ Params: { code: string } }>('/errors/:code', async (request, reply) => {
    const { code } = request.params
    if (!Object.hasOwn(refusals, code)) throw new Refusal('route_not_found')
    return reply.redirect(`/docs#refusal-${code}`)
  })
}
