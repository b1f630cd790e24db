import { isAway } from './away.ts'
import { Refusal, type RefusalCode, refusals } from './errors.ts'

/** RFC 9457. `type` is relative to the server, which serves the page that explains the code. */
export type Problem = {
  type: string
  title: string
  status: number
  detail?: string
  field?: string
  code: RefusalCode
  traceId: string
}

export const problemType = 'application/problem+json; charset=utf-8'

export function toProblem(refusal: Refusal, traceId: string): Problem {
  const { code, status, field, message, members } = refusal
  const { title } = refusals[code]
  return {
    type: `/errors/${code}`,
    title,
    status,
    ...(message === title ? {} : { detail: message }),
    ...(field === undefined ? {} : { field }),
    code,
    traceId,
    ...members,
  }
}

/** A mistake of the caller's keeps its name; whatever else was thrown is ours, and says nothing of itself. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (isAway(error)) return new Refusal('database_unavailable', { retryAfterSeconds: 2 })
  return new Refusal(fastifyErrors.get(codeOf(error)) ?? 'internal')
}

export function isOurFault(refusal: Refusal): boolean {
  return refusal.code === 'internal'
}

const fastifyErrors: ReadonlyMap<unknown, RefusalCode> = new Map([
  ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'content_type_unsupported'],
  ['FST_ERR_CTP_BODY_TOO_LARGE', 'body_too_large'],
  ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'body_malformed'],
  ['FST_ERR_BAD_URL', 'route_not_found'],
  ['FST_ERR_MAX_PARAM_LENGTH', 'route_not_found'],
])

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
