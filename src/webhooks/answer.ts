import { FetchFailure, type HttpResponse } from '#kernel/fetch'

/** What an endpoint made of a message. */
export type Verdict = {
  readonly kind: 'taken' | 'failed' | 'gone'
  /** Why it failed, out of a closed list. */
  readonly reason: string | null
  /** Not to be tried again before, in ms. */
  readonly afterMs: number
}

/** Nobody may have us wait for longer than a day. */
const AFTER_MAX_MS = 24 * 60 * 60 * 1000

/** A 2xx is taken, 410 means never again, and all else is a failure: a redirect too, which is not followed. */
export function verdictOf(answer: HttpResponse | FetchFailure, now: number): Verdict {
  if (answer instanceof FetchFailure) return { kind: 'failed', reason: answer.reason, afterMs: 0 }
  const { status, headers } = answer
  if (status >= 200 && status < 300) return { kind: 'taken', reason: null, afterMs: 0 }
  if (status === 410) return { kind: 'gone', reason: 'http_410', afterMs: 0 }
  const reason = status >= 300 && status < 400 ? 'redirect' : `http_${status}`
  return { kind: 'failed', reason, afterMs: retryAfterMs(headers['retry-after'], now) }
}

/** RFC 9110, 10.2.3: seconds, or a date. What is neither says nothing. */
export function retryAfterMs(text: string | undefined, now: number): number {
  if (text === undefined) return 0
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? 0 : Math.min(AFTER_MAX_MS, Math.max(0, ms))
}
