import { attemptSpan, type Delivery, type Outcome } from '#delivery'
import { batched } from '#kernel/batched'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { FetchFailure, type HttpFetch, type HttpResponse } from '#kernel/fetch'
import type { Mode } from '#kernel/ids'
import { invariant } from '#kernel/invariant'
import { type Verdict, verdictOf } from './answer.ts'
import type { Boxes } from './box.ts'
import type { Health, HealthKeeper } from './health.ts'
import { sequenceOf } from './message-id.ts'
import { sign } from './signature.ts'
import { loadMessages, type Message, type MessageRef } from './sql/messages.ts'

/** Standard Webhooks asks for 15 to 30 seconds. */
const TIMEOUT_MS = 15_000
/** A message that failed for this long is given up, so that the next of its payment goes. */
export const GIVE_UP_AFTER_MS = 4 * 24 * 60 * 60 * 1000
/** Kept of an answer. */
const ANSWER_BYTES_MAX = 4 * 1024
const MESSAGES_MAX = 512

/** An endpoint as it is called. */
export type Callee = {
  readonly id: string
  readonly tenant: string
  readonly mode: Mode
  readonly url: string
  /** Keys that sign now, newest first. */
  keys(): readonly Buffer[]
  readonly health: Health
}

export type CallPorts = {
  readonly database: Database
  readonly clock: Clock
  readonly fetch: HttpFetch
  readonly boxes: Boxes
  readonly health: HealthKeeper
}

/** What a delivery ends with. */
export type Sent = { readonly isAbandoned: boolean; readonly eventId: string }

/** What is kept of an attempt; `answer` is sealed. */
export type AttemptDetail = {
  readonly status?: number
  readonly answer?: string
  /** Why the last attempt of all failed: it is over, so no retry says it. */
  readonly abandoned?: string
}

/** Sends messages. Those that are asked for at one moment are read together. */
export function createCall({ database, clock, fetch, boxes, health }: CallPorts) {
  const load = batched(MESSAGES_MAX, (refs: readonly MessageRef[]) => loadMessages(database, refs))

  return async function call(callee: Callee, delivery: Delivery): Promise<Outcome> {
    const message = await load({ endpoint: callee.id, sequence: sequenceOf(delivery.id) })
    invariant(message, 'what is delivered is in the stream')
    const answer = await exchange(callee, delivery, message)
    const verdict = verdictOf(answer, clock.now())
    if (verdict.kind === 'taken') await health.succeeded(callee)
    else if (verdict.kind === 'gone') await health.gone(callee)
    else await health.failed(callee)
    return outcomeOf(verdict, delivery, message, await detailOf(callee, answer))
  }

  async function exchange(callee: Callee, delivery: Delivery, message: Message) {
    const { eventId, sequence, payload } = message
    const timestamp = Math.floor(clock.now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Millrace-Webhooks/1.0',
      'webhook-id': eventId,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(callee.keys(), eventId, timestamp, payload),
      'millrace-sequence': String(sequence),
      traceparent: attemptSpan(delivery),
    }
    const request = { method: 'POST', url: callee.url, headers, body: payload, timeoutMs: TIMEOUT_MS }
    try {
      return await fetch({ ...request, keepBytes: ANSWER_BYTES_MAX })
    } catch (error) {
      if (error instanceof FetchFailure) return error
      throw error
    }
  }

  /** Headers and body are whatever the other side likes: they are kept sealed, and the status alone in clear. */
  async function detailOf(callee: Callee, answer: HttpResponse | FetchFailure): Promise<AttemptDetail> {
    if (answer instanceof FetchFailure) return {}
    const { status, headers, body } = answer
    const kept = JSON.stringify({ headers: keptHeaders(headers), body })
    return { status, answer: await boxes.sealAnswer(callee, kept) }
  }

  function outcomeOf(verdict: Verdict, delivery: Delivery, { eventId }: Message, about: AttemptDetail): Outcome {
    const detail = JSON.stringify(about)
    if (verdict.kind === 'taken')
      return { kind: 'done', result: { isAbandoned: false, eventId } satisfies Sent, detail }
    if (verdict.kind === 'failed' && clock.now() - delivery.firstAttemptAt >= GIVE_UP_AFTER_MS) {
      const last: AttemptDetail = { ...about, abandoned: verdict.reason ?? 'failed' }
      return { kind: 'done', result: { isAbandoned: true, eventId } satisfies Sent, detail: JSON.stringify(last) }
    }
    return { kind: 'retry', reason: verdict.reason ?? 'failed', afterMs: verdict.afterMs, detail }
  }
}

const HEADERS_KEPT = ['content-type', 'location', 'retry-after', 'server']
const HEADER_LENGTH_MAX = 512

function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    HEADERS_KEPT.flatMap((name) => {
      const value = headers[name]
      return value === undefined ? [] : [[name, value.slice(0, HEADER_LENGTH_MAX)]]
    }),
  )
}
