import { parseCurrency } from '#kernel/currency'
import { type Bank, BankRefusal, type Done } from './bank.ts'
import { type Behaviour, behaviourOf } from './behaviour.ts'
import type { Answer } from './idempotency.ts'
import type { CaptureMethod, Intent, Metadata, ProducedEvent } from './objects.ts'

export type ApiRequest = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** The parsed body of a POST. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What the API answers, what it produced, and how the gateway shall behave about it. */
export type ApiResult = {
  readonly answer: Answer
  readonly events: readonly ProducedEvent[]
  readonly behaviour: Behaviour
}

/** The API of the simulated gateway, without the network: the same request on the same bank, the same result. */
export function handleApi(request: ApiRequest, bank: Bank): ApiResult {
  try {
    return route(request, bank)
  } catch (error) {
    if (!(error instanceof BankRefusal)) throw error
    return refused(error.code === 'resource_missing' ? 404 : 400, error.code)
  }
}

function route(request: ApiRequest, bank: Bank): ApiResult {
  const { method, path, body } = request
  const [, resource, id, verb] = /^\/v1\/([a-z_]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(path) ?? []
  const what = `${method} ${resource}${id === undefined ? '' : '/:id'}${verb === undefined ? '' : `/${verb}`}`
  switch (what) {
    case 'POST payment_intents':
      return createIntent(body, bank)
    case 'GET payment_intents':
      return plain({ object: 'list', data: bank.intentsOf(request.query.get('reference') ?? ''), has_more: false })
    case 'GET payment_intents/:id':
      return showIntent(bank.intent(id ?? ''))
    case 'POST payment_intents/:id/capture':
      return done(bank.captureIntent(id ?? '', amountOf(body.amount_to_capture)))
    case 'POST payment_intents/:id/cancel':
      return done(bank.cancelIntent(id ?? ''))
    case 'POST refunds':
      return done(bank.refund(textOf(body.charge, 'charge_missing'), amountOf(body.amount)))
    default:
      return refused(404, 'url_unknown')
  }
}

function createIntent(body: ApiRequest['body'], bank: Bank): ApiResult {
  const method = body.payment_method
  const paymentMethod = typeof method === 'string' ? method : null
  const behaviour = behaviourOf(paymentMethod)
  if (behaviour.kind === 'error_500') return { ...refused(500, 'api_error'), behaviour }
  if (behaviour.kind === 'timeout_before_charge') return { answer: 'never', events: [], behaviour }
  const { object, events } = bank.createIntent({
    amount: amountOf(body.amount) ?? refuse('parameter_missing_amount'),
    currency: currencyOf(body.currency),
    captureMethod: captureMethodOf(body.capture_method),
    confirm: body.confirm === true,
    paymentMethod,
    metadata: metadataOf(body.metadata),
    ...(behaviour.kind === 'decline' ? { declineCode: behaviour.code } : {}),
  })
  return { answer: answerOf(object), events, behaviour }
}

/** A declined card is an error with the intent inside it, as at Stripe. */
function answerOf(intent: Intent): Answer {
  if (intent.last_payment_error === null) return { status: 200, body: snapshot(intent) }
  const error = { ...intent.last_payment_error, message: 'Your card was declined.', payment_intent: snapshot(intent) }
  return { status: 402, body: { error } }
}

function showIntent(intent: Intent | undefined): ApiResult {
  return intent === undefined ? refused(404, 'resource_missing') : plain(intent)
}

const approve: Behaviour = { kind: 'approve' }

function done<Thing>({ object, events }: Done<Thing>): ApiResult {
  return { ...plain(object), events }
}

function plain(object: unknown): ApiResult {
  return { answer: { status: 200, body: snapshot(object) }, events: [], behaviour: approve }
}

function refused(status: number, code: string): ApiResult {
  return { answer: problem(status, code), events: [], behaviour: approve }
}

export function problem(status: number, code: string): Answer {
  const type = status >= 500 ? 'api_error' : 'invalid_request_error'
  return { status, body: { error: { type, code, message: code } } }
}

/** An answer kept for its idempotency key must not change with the object. */
function snapshot<Thing>(object: Thing): Thing {
  return structuredClone(object)
}

function refuse(code: string): never {
  throw new BankRefusal(code)
}

function amountOf(value: unknown): number | undefined {
  if (value === undefined) return undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    ? value
    : refuse('parameter_invalid_integer')
}

function currencyOf(value: unknown): string {
  const code = textOf(value, 'parameter_missing_currency').toLowerCase()
  return parseCurrency(code.toUpperCase()) === undefined ? refuse('invalid_currency') : code
}

function captureMethodOf(value: unknown): CaptureMethod {
  if (value === undefined || value === 'automatic') return 'automatic'
  return value === 'manual' ? 'manual' : refuse('parameter_invalid_capture_method')
}

function textOf(value: unknown, code: string): string {
  return typeof value === 'string' ? value : refuse(code)
}

const metadataKeysMax = 50

function metadataOf(value: unknown): Metadata {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null) return refuse('parameter_invalid_metadata')
  const entries = Object.entries(value).slice(0, metadataKeysMax)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
