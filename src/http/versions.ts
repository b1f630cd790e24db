import type { FastifyRequest } from 'fastify'
import { CURRENT_VERSION, VERSION_HEADER } from '#access'
import type { HttpServer } from '#kernel/http'

type Json = Readonly<Record<string, unknown>>

/** What a version of the API changed, said by how to undo it for those who still speak the one before. */
export type ApiVersion = {
  /** The day on which it became the newest. */
  readonly date: string
  readonly changes: readonly VersionChange[]
}

export type VersionChange = {
  /** As it is declared: `GET /v1/payments/:id`. */
  readonly route: string
  /** A body in the older shape, brought into this version's. */
  readonly body?: (older: Json) => Json
  /** An answer in this version's shape, brought back into the older one. */
  readonly answer?: (newer: Json) => Json
}

/** Every version there is, oldest first. Handlers know the newest only. */
export const apiVersions: readonly ApiVersion[] = [{ date: CURRENT_VERSION, changes: [] }]

/**
 * Speaks to each caller in the version it asked for: a body is lifted version by version before it is checked, an answer
 * lowered after it is made. Problems have one shape in all versions.
 */
export function translateVersions(
  server: HttpServer,
  versions: readonly ApiVersion[],
  versionOf: (request: FastifyRequest) => string | undefined,
): void {
  const newest = versions.at(-1)?.date
  const since = (version: string, request: FastifyRequest): VersionChange[] => {
    const route = `${request.method} ${request.routeOptions.url}`
    const newer = versions.filter(({ date }) => date > version)
    return newer.flatMap(({ changes }) => changes.filter((change) => change.route === route))
  }

  server.addHook('preValidation', (request, reply, done) => {
    const version = versionOf(request)
    if (version !== undefined) reply.header(VERSION_HEADER, version)
    if (version !== undefined && version !== newest && isJson(request.body)) {
      request.body = since(version, request).reduce<Json>((older, { body }) => body?.(older) ?? older, request.body)
    }
    done()
  })
  server.addHook('preSerialization', (request, _, payload: unknown, done) => {
    const version = versionOf(request)
    if (version === undefined || version === newest || !isJson(payload)) return done(null, payload)
    done(
      null,
      since(version, request).reduceRight<Json>((newer, { answer }) => answer?.(newer) ?? newer, payload),
    )
  })
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
