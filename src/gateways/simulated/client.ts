import { type DigestId, isObject, type JsonObject, toStripeUnits, valueAt } from '#gateways/stripe'
import { FetchFailure, type HttpFetch, type HttpRequest } from '#kernel/fetch'
import { answered, type GatewayOutcome, outcomeOf, outcomeOfFailure, type Understand } from './outcome.ts'

export type { GatewayOutcome } from './outcome.ts'

type Call = {
  readonly paymentId: string
  /** The gateway does one operation once, however often it is asked. */
  readonly operationId: string
  readonly timeoutMs: number
}

type Money = { readonly amountMinor: number; readonly currency: string }

/** Something asked about an object that the gateway has: its id there. */
type About = { readonly objectId: string }

export type Authorization = Call &
  Money & {
    readonly captureMode: 'automatic' | 'manual'
    readonly paymentMethod: string
  }

/** `objectId` is the intent's. What is not captured is released: an intent is captured once. */
export type Capture = Call & Money & About

/** `objectId` is the intent's. */
export type Cancellation = Call & About

/** `objectId` is the charge's. */
export type RefundCall = Call & Money & About

export type SimulatedClient = {
  authorize(authorization: Authorization): Promise<GatewayOutcome>
  capture(capture: Capture): Promise<GatewayOutcome>
  cancel(cancellation: Cancellation): Promise<GatewayOutcome>
  /** The refund carries the operation's id, so that `find` tells which operation made it. */
  refund(refund: RefundCall): Promise<GatewayOutcome>
  /** Everything the gateway holds under our payment id: intents and their charges, refunds, disputes. */
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

  const post = (path: string, { operationId, timeoutMs }: Call, body: object): Promise<GatewayOutcome> => {
    const request = {
      method: 'POST',
      url: `${url}${path}`,
      headers: { ...headers, 'idempotency-key': operationId },
      body: JSON.stringify(body),
      timeoutMs,
    }
    return ask(request, (object) => answered([object], digest))
  }

  /** Nothing is sent where the gateway has no unit for the amount. */
  const postAmount = async (path: string, call: Call & Money, bodyOf: (amount: number) => object) => {
    const amount = toStripeUnits(call.amountMinor, call.currency)
    return amount === undefined ? unrepresentable : post(path, call, bodyOf(amount))
  }

  return {
    authorize: (call) => postAmount('/v1/payment_intents', call, (amount) => intentOf(call, amount)),
    capture: (call) => postAmount(`${intentAt(call)}/capture`, call, (amount) => ({ amount_to_capture: amount })),
    cancel: (call) => post(`${intentAt(call)}/cancel`, call, {}),
    refund: (call) =>
      postAmount('/v1/refunds', call, (amount) => ({
        charge: call.objectId,
        amount,
        metadata: { millrace_payment: call.paymentId, millrace_operation: call.operationId },
      })),
    find(paymentId, timeoutMs = findTimeoutMs) {
      const address = `${url}/v1/objects?reference=${encodeURIComponent(paymentId)}`
      return ask({ method: 'GET', url: address, headers, timeoutMs }, (list) => foundIn(list, digest))
    },
  }
}

const unrepresentable: GatewayOutcome = { outcome: 'refused', code: 'amount_unrepresentable' }

function intentAt({ objectId }: About): string {
  return `/v1/payment_intents/${encodeURIComponent(objectId)}`
}

function intentOf(authorization: Authorization, amount: number): object {
  return {
    amount,
    currency: authorization.currency.toLowerCase(),
    capture_method: authorization.captureMode,
    confirm: true,
    payment_method: authorization.paymentMethod,
    metadata: { millrace_payment: authorization.paymentId },
  }
}

/** A list that is none is not an empty list: `absent` would let the payment be made again. */
function foundIn(answer: JsonObject, digest: DigestId): GatewayOutcome {
  const data = valueAt(answer, 'data')
  if (!Array.isArray(data)) return { outcome: 'unknown', reason: 'server_error' }
  return data.length === 0 ? { outcome: 'absent' } : answered(data.filter(isObject), digest)
}
