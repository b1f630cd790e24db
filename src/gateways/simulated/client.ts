import type { ObjectReport } from '#gateways/events'
import {
  codeAt,
  type DigestId,
  isObject,
  type JsonObject,
  mapStripeObject,
  objectAt,
  toStripeUnits,
  valueAt,
} from '#gateways/stripe'
import { FetchFailure, type HttpFetch, type HttpRequest, type HttpResponse } from '#kernel/fetch'

/** What is known after asking a gateway for something. A doubt is never a no. */
export type GatewayOutcome =
  | { readonly outcome: 'answered'; readonly reports: ObjectReport[] }
  | { readonly outcome: 'declined'; readonly code: string; readonly reports: ObjectReport[] }
  /** The gateway may have done it: ask before doing it again. */
  | { readonly outcome: 'unknown'; readonly reason: 'timeout' | 'connection' | 'server_error' }
  /** The gateway did nothing, and will do nothing if asked the same again. */
  | { readonly outcome: 'refused'; readonly code: string }
  /** Not a byte was sent: safe to try again. */
  | { readonly outcome: 'unreachable' }
  /** The gateway knows no such payment (only when asked for one). */
  | { readonly outcome: 'absent' }

export type Authorization = {
  readonly paymentId: string
  /** The gateway does one operation once, however often it is asked. */
  readonly operationId: string
  readonly amountMinor: number
  readonly currency: string
  readonly captureMode: 'automatic' | 'manual'
  readonly paymentMethod: string
  readonly timeoutMs: number
}

export type SimulatedClient = {
  authorize(authorization: Authorization): Promise<GatewayOutcome>
  /** Everything the gateway holds under our payment id. */
  find(paymentId: string, timeoutMs?: number): Promise<GatewayOutcome>
}

const findTimeoutMs = 10_000

/** Speaks to the simulated gateway. Resolves with an outcome, whatever the network does. */
export function createSimulatedClient(options: {
  url: string
  apiKey: string
  fetch: HttpFetch
  digest: DigestId
}): SimulatedClient {
  const { url, fetch, digest } = options
  const headers = { authorization: `Bearer ${options.apiKey}`, 'content-type': 'application/json' }

  const ask = async (request: HttpRequest, understand: Understand): Promise<GatewayOutcome> => {
    try {
      return outcomeOf(await fetch(request), understand, digest)
    } catch (error) {
      if (error instanceof FetchFailure) return outcomeOfFailure(error)
      throw error
    }
  }

  return {
    async authorize(authorization) {
      const amount = toStripeUnits(authorization.amountMinor, authorization.currency)
      if (amount === undefined) return { outcome: 'refused', code: 'amount_unrepresentable' }
      const request = {
        method: 'POST',
        url: `${url}/v1/payment_intents`,
        headers: { ...headers, 'idempotency-key': authorization.operationId },
        body: bodyOf(authorization, amount),
        timeoutMs: authorization.timeoutMs,
      }
      return ask(request, (intent) => answered([intent], digest))
    },
    find(paymentId, timeoutMs = findTimeoutMs) {
      const address = `${url}/v1/payment_intents?reference=${encodeURIComponent(paymentId)}`
      return ask({ method: 'GET', url: address, headers, timeoutMs }, (list) => foundIn(list, digest))
    },
  }
}

/** What an answer with a 2xx says. */
type Understand = (answer: JsonObject) => GatewayOutcome

function bodyOf(authorization: Authorization, amount: number): string {
  return JSON.stringify({
    amount,
    currency: authorization.currency.toLowerCase(),
    capture_method: authorization.captureMode,
    confirm: true,
    payment_method: authorization.paymentMethod,
    metadata: { millrace_payment: authorization.paymentId },
  })
}

/** A list that is none is not an empty list: `absent` would let the payment be made again. */
function foundIn(answer: JsonObject, digest: DigestId): GatewayOutcome {
  const data = valueAt(answer, 'data')
  if (!Array.isArray(data)) return { outcome: 'unknown', reason: 'server_error' }
  return data.length === 0 ? { outcome: 'absent' } : answered(data.filter(isObject), digest)
}

/** An answer we cannot read says nothing about what was done. */
function answered(objects: readonly JsonObject[], digest: DigestId): GatewayOutcome {
  const reports = objects.flatMap((object) => mapStripeObject(object, digest).reports)
  return reports.length === 0 ? { outcome: 'unknown', reason: 'server_error' } : { outcome: 'answered', reports }
}

function outcomeOfFailure({ phase, reason }: FetchFailure): GatewayOutcome {
  if (phase === 'connect') return { outcome: 'unreachable' }
  return { outcome: 'unknown', reason: reason === 'timeout' ? 'timeout' : 'connection' }
}

/** Answers that do not say whether the work was done: a timeout of the server's own, a first request still going on. */
const undecided: ReadonlySet<number> = new Set([408, 409, 425])

function outcomeOf(response: HttpResponse, understand: Understand, digest: DigestId): GatewayOutcome {
  const { status } = response
  const answer = parse(response.body)
  if (status >= 200 && status < 300 && answer !== undefined) return understand(answer)
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

function parse(body: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
