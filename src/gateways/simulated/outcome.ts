import type { ObjectReport } from '#gateways/events'
import { codeAt, type DigestId, isObject, type JsonObject, mapStripeObject, objectAt } from '#gateways/stripe'
import type { FetchFailure, HttpResponse } from '#kernel/fetch'

/** What is known after asking a gateway for something. A doubt is never a no. */
export type GatewayOutcome =
  | { readonly outcome: 'answered'; readonly reports: ObjectReport[] }
  | { readonly outcome: 'declined'; readonly code: string; readonly reports: ObjectReport[] }
  /** The gateway may have done it: ask before doing it again. */
  | { readonly outcome: 'unknown'; readonly reason: 'timeout' | 'connection' | 'server_error' }
  /** The gateway did nothing, and will do nothing if asked the same again. */
  | { readonly outcome: 'refused'; readonly code: string }
  /** The gateway did not take the call in, as nobody was there or too much was asked at once: safe to try again. */
  | { readonly outcome: 'unreachable'; readonly retryAfterMs?: number }
  /** The gateway knows no such payment (only when asked for one). */
  | { readonly outcome: 'absent' }

/** What an answer with a 2xx says. */
export type Understand = (answer: JsonObject) => GatewayOutcome

/** An answer we cannot read says nothing about what was done. */
export function answered(objects: readonly JsonObject[], digest: DigestId): GatewayOutcome {
  const reports = objects.flatMap((object) => mapStripeObject(object, digest).reports)
  return reports.length === 0 ? { outcome: 'unknown', reason: 'server_error' } : { outcome: 'answered', reports }
}

export function outcomeOfFailure({ phase, reason }: FetchFailure): GatewayOutcome {
  if (phase === 'connect') return { outcome: 'unreachable' }
  return { outcome: 'unknown', reason: reason === 'timeout' ? 'timeout' : 'connection' }
}

/** Answers that do not say whether the work was done: a timeout of the server's own, a first request still going on. */
const undecided: ReadonlySet<number> = new Set([408, 409, 425])

export function outcomeOf(response: HttpResponse, understand: Understand, digest: DigestId): GatewayOutcome {
  const { status } = response
  const answer = parse(response.body)
  if (status >= 200 && status < 300 && answer !== undefined) return understand(answer)
  if (status === 429) return tooMany(response)
  if (status < 400 || status >= 500 || undecided.has(status)) return { outcome: 'unknown', reason: 'server_error' }
  const error = (answer && objectAt(answer, 'error')) ?? {}
  if (status !== 402) return { outcome: 'refused', code: codeAt(error, 'code') ?? 'gateway_refused' }
  const intent = objectAt(error, 'payment_intent')
  return {
    outcome: 'declined',
    code: codeAt(error, 'decline_code') ?? codeAt(error, 'code') ?? 'generic_decline',
    reports: intent === undefined ? [] : mapStripeObject(intent, digest).reports,
  }
}

/** A limit turns away before any work is done. Only whole seconds are understood; an hour is the longest wait. */
function tooMany({ headers }: HttpResponse): GatewayOutcome {
  const seconds = /^\d{1,4}$/.exec(headers['retry-after'] ?? '')?.[0]
  if (seconds === undefined) return { outcome: 'unreachable' }
  return { outcome: 'unreachable', retryAfterMs: Math.min(Number(seconds), 3600) * 1000 }
}

function parse(body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
