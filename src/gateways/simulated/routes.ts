import { type Answer, json, problem, type WrittenAnswer } from './answer.ts'
import { type Bank, BankRefusal, type Done } from './bank.ts'
import { approve, type Behaviour, type CallName } from './behaviour.ts'
import { type Decide, decideByMagic } from './fates.ts'
import { amountOf, captureMethodOf, currencyOf, metadataOf, refusal, textOf } from './fields.ts'
import type { Intent, ProducedEvent, Refund } from './objects.ts'

export type ApiRequest = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** The parsed body of a POST. */
  readonly body: Readonly<Record<string, unknown>>
  /** What makes the request this one; see `Books.under`. */
  readonly origin?: string
}

/** What the API answers, what it produced, and how the gateway shall behave about it. */
export type ApiResult = {
  /** What the gateway did, in an answer: what its key keeps, and whoever asks again gets. */
  readonly answer: Answer
  /** What whoever asked first gets, after `behaviour.waitMs`. */
  readonly first: Answer
  /** False where the request was turned away: asked again, it is decided anew. */
  readonly isKept: boolean
  readonly events: readonly ProducedEvent[]
  readonly behaviour: Behaviour
  /** The intent or refund that was made or changed. */
  readonly object?: string
}

/** The API of the simulated gateway, without the network: the same request on the same bank, the same result. */
export function handleApi(request: ApiRequest, bank: Bank, decide: Decide = decideByMagic): ApiResult {
  try {
    return bank.under(request.origin, () => route(request, bank, decide))
  } catch (error) {
    if (error instanceof BankRefusal) return plain(refused(error))
    throw error
  }
}

export function refused({ code, message, param }: BankRefusal): WrittenAnswer {
  const about = param === undefined ? { message } : { message, param }
  return problem(code === 'resource_missing' ? 404 : 400, code, about)
}

function route(request: ApiRequest, bank: Bank, decide: Decide): ApiResult {
  const [, resource = '', id = '', verb] = /^\/v1\/([a-z_]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(request.path) ?? []
  const what = `${request.method} ${resource}${id === '' ? '' : '/:id'}${verb === undefined ? '' : `/${verb}`}`
  switch (what) {
    case 'POST payment_intents':
      return authorize(request, bank, decide)
    case 'POST payment_intents/:id/capture':
      return capture(id, request, bank, decide)
    case 'POST payment_intents/:id/cancel':
      return cancel(id, request, bank, decide)
    case 'POST refunds':
      return refund(request, bank, decide)
    default:
      return plain(request.method === 'GET' ? look(what, id, request.query, bank) : unknownUrl)
  }
}

const unknownUrl = problem(404, 'url_unknown', { message: 'There is nothing here: see docs/simulator.md.' })

function look(what: string, id: string, query: URLSearchParams, bank: Bank): WrittenAnswer {
  const { settlement } = bank
  switch (what) {
    case 'GET payment_intents':
      return list(bank.intentsOf(query.get('reference') ?? ''))
    case 'GET objects':
      return list(bank.objectsOf(query.get('reference') ?? ''))
    case 'GET payment_intents/:id':
      return shown(bank.intent(id))
    case 'GET charges/:id':
      return shown(bank.charge(id))
    case 'GET refunds/:id':
      return shown(bank.folder(id)?.refunds.find((one) => one.id === id))
    case 'GET disputes/:id':
      return shown(bank.folder(id)?.disputes.find((one) => one.id === id))
    case 'GET balance':
      return shown({ object: 'balance', available: balances(bank) })
    case 'GET payouts':
      return list(settlement.payouts())
    case 'GET payouts/:id':
      return shown(settlement.payout(id))
    case 'GET balance_transactions':
      return list(settlement.transactionsOf(query.get('payout') ?? ''))
    case 'GET settlements/:id':
      return file(settlement.fileOf(id.replace(/\.csv$/, '')))
    default:
      return unknownUrl
  }
}

function authorize({ body, origin }: ApiRequest, bank: Bank, decide: Decide): ApiResult {
  const paymentMethod = typeof body.payment_method === 'string' ? body.payment_method : null
  const amount = amountOf(body.amount, 'amount')
  if (amount === undefined) throw refusal('parameter_missing_amount', 'amount', 'must be a positive whole number')
  const input = {
    amount,
    currency: currencyOf(body.currency),
    captureMethod: captureMethodOf(body.capture_method),
    confirm: body.confirm === true,
    paymentMethod,
    metadata: metadataOf(body.metadata),
  }
  const { currency } = input
  const behaviour = decide({ call: 'authorize', amount, currency, paymentMethod, origin })
  return carryOut(behaviour, () => {
    const { bank: fate } = behaviour
    const declineCode = typeof fate === 'object' ? { declineCode: fate.declines } : {}
    return bank.createIntent({ ...input, ...declineCode, isChallenged: fate === 'challenge' })
  })
}

function capture(id: string, request: ApiRequest, bank: Bank, decide: Decide): ApiResult {
  const amount = amountOf(request.body.amount_to_capture, 'amount_to_capture')
  return later('capture', id, amount, request, bank, decide, () => bank.captureIntent(id, amount))
}

function cancel(id: string, request: ApiRequest, bank: Bank, decide: Decide): ApiResult {
  return later('cancel', id, undefined, request, bank, decide, () => bank.cancelIntent(id))
}

function refund(request: ApiRequest, bank: Bank, decide: Decide): ApiResult {
  const { body } = request
  const charge = textOf(body.charge, 'charge', 'charge_missing')
  const amount = amountOf(body.amount, 'amount')
  const metadata = metadataOf(body.metadata)
  return later('refund', charge, amount, request, bank, decide, () => bank.refund(charge, amount, metadata))
}

/** What is done with a payment that is there. A decline then is a refusal: nothing becomes of it. */
function later(
  call: CallName,
  id: string,
  amount: number | undefined,
  { origin }: ApiRequest,
  bank: Bank,
  decide: Decide,
  work: () => Done<Intent | Refund>,
): ApiResult {
  const intent = bank.folder(id)?.intent
  if (intent === undefined) return carryOut(approve, work)
  const { currency, payment_method: paymentMethod } = intent
  const behaviour = decide({ call, amount: amount ?? intent.amount, currency, paymentMethod, origin })
  if (typeof behaviour.bank === 'object') throw new BankRefusal(behaviour.bank.declines)
  return carryOut(behaviour, work)
}

function carryOut(behaviour: Behaviour, work: () => Done<Intent | Refund>): ApiResult {
  if (behaviour.bank === 'nothing') return nothingDone(behaviour)
  const { object, events } = work()
  const answer = answerOf(object)
  return { answer, first: firstOf(answer, behaviour), isKept: true, events, behaviour, object: object.id }
}

function nothingDone(behaviour: Behaviour): ApiResult {
  const answer = firstOf('never', behaviour)
  return { answer, first: answer, isKept: behaviour.answer !== 'rate_limited', events: [], behaviour }
}

const serverError = problem(500, 'api_error', { message: 'Something went wrong at the gateway.' })
const tooMany = { ...problem(429, 'rate_limit', { message: 'Too many requests.' }), retryAfterSeconds: 1 }

function firstOf(answer: Answer, behaviour: Behaviour): Answer {
  switch (behaviour.answer) {
    case 'lost':
      return 'never'
    case 'error_500':
      return serverError
    case 'rate_limited':
      return tooMany
    default:
      return answer
  }
}

/** A declined card is an error with the intent inside it, as at Stripe. */
function answerOf(object: Intent | Refund): WrittenAnswer {
  if (object.object === 'refund' || object.last_payment_error === null) return json(200, object)
  const error = { ...object.last_payment_error, message: 'Your card was declined.', payment_intent: object }
  return json(402, { error })
}

function plain(answer: WrittenAnswer): ApiResult {
  return { answer, first: answer, isKept: true, events: [], behaviour: approve }
}

function list(data: readonly object[] | undefined): WrittenAnswer {
  return data === undefined ? shown(undefined) : json(200, { object: 'list', data, has_more: false })
}

function shown(object: object | undefined): WrittenAnswer {
  if (object !== undefined) return json(200, object)
  return problem(404, 'resource_missing', { message: 'The gateway has no such object.' })
}

function file(text: string | undefined): WrittenAnswer {
  return text === undefined ? shown(undefined) : { status: 200, body: text, type: 'text/csv; charset=utf-8' }
}

function balances({ settlement }: Bank): { currency: string; amount: number }[] {
  return settlement.currencies().map((currency) => ({ currency, amount: settlement.balance(currency) }))
}
