import { sign } from '#gateways/stripe'
import { systemClock } from '#kernel/clock'
import { type AppUnderTest, webhookSecret } from './app.ts'
import { canaries } from './canaries.ts'
import type { HttpUnderTest } from './http-server.ts'
import {
  chargeObject,
  disputeObject,
  intentObject,
  payoutObject,
  refundObject,
  type StripeEvent,
  stripeEvent,
} from './stripe-events.ts'

export type Flight = {
  /** How many requests were answered, by status. */
  readonly answers: ReadonlyMap<number, number>
  /** Payments accepted with canaries in every field that takes them. */
  readonly payments: readonly string[]
}

type Request = { method: string; path: string; headers: Record<string, string>; body?: string }

/** Sends every canary in every field of every request and webhook, one field at a time, over real HTTP. */
export async function flyCanaries(http: HttpUnderTest, under: AppUnderTest, names: readonly string[]): Promise<Flight> {
  const answers = new Map<number, number>()
  const payments: string[] = []
  const key = await http.apiKey('main', 'test')
  const send = async (request: Request): Promise<void> => {
    const { method, path, headers, body } = request
    const answer = await fetch(new URL(path, http.url), { method, headers, ...(body === undefined ? {} : { body }) })
    answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1)
    const text = await answer.text()
    const { id }: { id?: string } = answer.status === 202 ? JSON.parse(text) : {}
    if (id !== undefined) payments.push(id)
  }
  for (const name of names) {
    const canary = canaries[name] ?? ''
    for (const request of [...paymentRequests(canary, key), ...otherRequests(canary, key), ...webhooks(canary)])
      await send(request)
  }
  await under.settle(60_000)
  return { answers, payments }
}

const body = {
  amount: 1000,
  currency: 'EUR',
  merchant: 'mer_acme',
  customer: 'customer-1',
  payment_method: 'pm_1',
  capture_mode: 'automatic',
  expires_at: '2099-01-01T00:00:00Z',
  description: 'a book',
  metadata: { order: '1' },
}

let requests = 0

function paymentRequests(canary: string, apiKey: string): Request[] {
  const { expires_at: _, ...taken } = body
  const everywhere = {
    ...taken,
    customer: canary,
    payment_method: canary,
    description: canary,
    metadata: { [canary.slice(0, 40)]: canary },
  }
  const bodies: unknown[] = [
    everywhere,
    ...Object.keys(body).map((field) => ({ ...taken, [field]: canary })),
    // A single word in the shape of an identifier is one: nobody can tell it from those that tenants make up.
    ...(/^[A-Za-z]+$/.test(canary) ? [] : [{ ...taken, merchant: `mer_${canary}` }]),
    { ...taken, merchant: `mer_x${canary.replace(/[^0-9]/g, '')}` },
    { ...taken, [canary]: 1 },
    { ...taken, metadata: { deep: { [canary]: canary } } },
    { ...taken, metadata: canary },
    { ...taken, amount: { [canary]: canary } },
    [canary],
    canary,
  ]
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const path = '/v1/payments'
  return [
    ...bodies.map((given) => ({
      method: 'POST',
      path,
      headers: { ...headers, 'idempotency-key': `key-${++requests}` },
      body: JSON.stringify(given),
    })),
    {
      method: 'POST',
      path,
      headers: { ...headers, 'idempotency-key': Buffer.from(canary).toString('latin1') },
      body: JSON.stringify(taken),
    },
    {
      method: 'POST',
      path,
      headers: { ...headers, 'idempotency-key': Buffer.from(canary).toString('latin1') },
      body: JSON.stringify({ ...taken, amount: 7 }),
    },
    {
      method: 'POST',
      path,
      headers: { ...headers, 'idempotency-key': `broken-${++requests}` },
      body: `{"amount": "${canary}", ${canary}`,
    },
  ]
}

function otherRequests(canary: string, apiKey: string): Request[] {
  const headers = { authorization: `Bearer ${apiKey}` }
  const part = encodeURIComponent(canary)
  const inHeader = Buffer.from(canary).toString('latin1')
  const paths = [
    `/v1/payments/${part}`,
    `/v1/payments/${part}/events`,
    `/v1/accounts/${part}`,
    `/v1/trial-balance?name=${part}`,
    `/${part}`,
    `/v1/payments?${part}=${part}`,
  ]
  return [
    ...paths.map((path) => ({ method: 'GET', path, headers })),
    ...['user-agent', 'x-request-id', 'traceparent', 'tracestate', 'cookie', 'referer', 'accept'].map((name) => ({
      method: 'GET',
      path: '/v1/trial-balance',
      headers: { ...headers, [name]: inHeader },
    })),
    { method: 'GET', path: '/v1/trial-balance', headers: { authorization: `Bearer ${inHeader}` } },
    {
      method: 'POST',
      path: '/v1/payments',
      headers: { ...headers, 'content-type': `text/plain; name=${part}` },
      body: canary,
    },
    {
      method: 'POST',
      path: `/v1/gateways/${part}/${part}/webhooks`,
      headers: { 'content-type': 'application/json', 'stripe-signature': inHeader },
      body: '{}',
    },
    {
      method: 'POST',
      path: '/v1/gateways/stripe/acme/webhooks',
      headers: { 'content-type': 'application/json', 'stripe-signature': `t=1,v1=${inHeader}` },
      body: JSON.stringify({ canary }),
    },
    { method: 'DELETE', path: `/v1/customers/${part}-other/personal-data`, headers },
  ]
}

/** One of each object that we map, and one that we do not, with the fields that hold people. */
function samples(): StripeEvent[] {
  const name = `canary${++requests}`
  const person = {
    billing_details: { name: 'n', email: 'e', phone: 'p', address: { line1: 'l', city: 'c', country: 'DE' } },
    payment_method_details: { type: 'card', card: { brand: 'visa', last4: '4242', fingerprint: 'f' } },
    description: 'd',
    receipt_email: 'r',
    statement_descriptor: 's',
    metadata: { millrace_payment: 'pay_x', order: 'o' },
  }
  const error = { code: 'card_declined', decline_code: 'do_not_honor', message: 'm', charge: `ch_${name}` }
  return [
    stripeEvent(
      'charge.failed',
      chargeObject(name, {
        ...person,
        status: 'failed',
        captured: false,
        failure_code: 'card_declined',
        failure_message: 'f',
        balance_transaction: `txn_${name}`,
      }),
    ),
    stripeEvent(
      'payment_intent.payment_failed',
      intentObject(name, {
        ...person,
        status: 'requires_payment_method',
        last_payment_error: error,
        client_secret: 'c',
      }),
    ),
    stripeEvent(
      'refund.failed',
      refundObject(name, 'a', 5, {
        status: 'failed',
        failure_reason: 'lost_or_stolen_card',
        balance_transaction: `txn_r${name}`,
      }),
    ),
    stripeEvent(
      'charge.dispute.created',
      disputeObject(name, 5, {
        evidence: { customer_name: 'n' },
        balance_transactions: [{ id: `txn_d${name}`, amount: -5, currency: 'eur', type: 'adjustment' }],
      }),
    ),
    stripeEvent(
      'payout.failed',
      payoutObject(name, 5, { status: 'failed', failure_code: 'account_closed', destination: 'ba_1' }),
    ),
    stripeEvent(
      'customer.updated',
      { id: `cus_${name}`, object: 'customer', email: 'e', name: 'n' },
      { account: 'acct_1', request: { id: 'req_1', idempotency_key: 'k' } },
    ),
  ]
}

function webhooks(canary: string): Request[] {
  return samples().flatMap((sample) =>
    placesIn(sample).map((place) => webhook(renamed(withCanary(sample, place, canary), sample, place))),
  )
}

function webhook(event: unknown): Request {
  const bytes = Buffer.from(JSON.stringify(event))
  const headers = {
    'content-type': 'application/json',
    'stripe-signature': sign(bytes, webhookSecret, Math.floor(systemClock.now() / 1000)),
  }
  return { method: 'POST', path: '/v1/gateways/stripe/acme/webhooks', headers, body: bytes.toString() }
}

/** Its own event id, unless the id is what is replaced: otherwise all would be one event. */
function renamed(event: unknown, sample: StripeEvent, place: Place): unknown {
  if (place.path.join() === 'id' && !place.isName) return event
  return typeof event === 'object' && event ? { ...event, id: `${sample.id}_${++requests}` } : event
}

/** A field to put a canary into: its value, or a new field beside it that bears the canary's name. */
type Place = { readonly path: readonly string[]; readonly isName: boolean }

function placesIn(value: unknown, path: readonly string[] = []): Place[] {
  if (typeof value === 'string' || value === null) return [{ path, isName: false }]
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([name, part]) => placesIn(part, [...path, name]))
  return [{ path, isName: true }, ...inside]
}

function withCanary(value: unknown, { path, isName }: Place, canary: string): unknown {
  const [name, ...rest] = path
  if (name === undefined)
    return isName && typeof value === 'object' ? { ...value, [canary]: { [canary]: canary } } : canary
  if (Array.isArray(value))
    return value.map((part, at) => (String(at) === name ? withCanary(part, { path: rest, isName }, canary) : part))
  const fields = new Map(Object.entries(typeof value === 'object' && value ? value : {}))
  return Object.fromEntries([...fields, [name, withCanary(fields.get(name), { path: rest, isName }, canary)]])
}
