import { canonicalJson } from '#kernel/canonical'
import { containsCardNumber } from '#kernel/card-number'
import type { Clock } from '#kernel/clock'
import { parseCurrency } from '#kernel/currency'
import type { Digest } from '#kernel/digest'
import { Refusal } from '#kernel/errors'
import { brandId, type EventId, type Mode, type PaymentId, type TenantId } from '#kernel/ids'
import type { Seal } from '#kernel/seal'
import type { Door, EventType, NewEvent } from '#log'
import type { PaymentRequested } from '#payments/events'
import { expiryOf } from './expiry.ts'
import { createMemory, type Remembered } from './memory.ts'
import type { PaymentBody } from './request.ts'
import { splitsOf } from './splits.ts'
import { createTurns } from './turns.ts'

export type AcceptPorts = {
  readonly door: Door
  readonly seal: Seal
  readonly clock: Clock
  /** The inbox of `payments`. */
  readonly inbox: EventType<'payment.requested', PaymentRequested>
  /** What is known of a payment that may have been accepted before; undefined where nothing is, or nothing in time. */
  findAccepted(payment: { tenant: string; mode: string; id: string }): Promise<Remembered | undefined>
  assess(request: {
    tenant: string
    merchant: string
    customer: string | undefined
    amount: number
    currency: string
  }): Promise<{ score: number; reasons: readonly string[]; isRefused: boolean }>
}

export type PaymentOffer = {
  readonly tenant: TenantId
  readonly mode: Mode
  readonly idempotencyKey: string
  readonly body: PaymentBody
  readonly traceparent: string
}

export type AcceptOutcome =
  | { readonly status: 'accepted' | 'repeated'; readonly id: PaymentId }
  | { readonly status: 'rejected'; readonly id: PaymentId; readonly reasons: readonly string[] }
  | { readonly status: 'key_reused'; readonly id: PaymentId }

/**
 * Takes a payment request: once it answers `accepted`, the request is on the log. The payment's id is a
 * pure function of tenant, mode, merchant and idempotency key, so a retry names the same payment.
 * @throws Refusal for a request that is not as documented; it does not use up the key.
 */
export function createAcceptPayment(ports: AcceptPorts) {
  const memory = createMemory()
  const inTurn = createTurns()

  return async (offer: PaymentOffer): Promise<AcceptOutcome> => {
    const { tenant, mode, body, idempotencyKey } = offer
    checkBody(body)
    const splits = splitsOf(body)
    const expiresAt = expiryOf(body.expires_at, ports.clock.now())
    const id = brandId<PaymentId>(`pay_${ports.seal.digest('payment', tenant, mode, body.merchant, idempotencyKey)}`)
    // Two requests under one key go one after the other, so that the second meets what became of the first.
    return inTurn(id, () => accept(offer, { id, expiresAt, splits }))
  }

  async function accept(offer: PaymentOffer, about: About): Promise<AcceptOutcome> {
    const { tenant, mode, body } = offer
    const { id } = about
    const { digest } = ports.seal
    const fingerprint = digest('fingerprint', tenant, mode, canonicalJson(body))
    const remembered = memory.find(id, tenant, mode)
    const accepted = await ports.findAccepted({ tenant, mode, id })
    // The log has the last word: of two doors that took the key at once, one remembers a body that lost.
    const isOvertaken = accepted !== undefined && accepted.fingerprint !== remembered?.fingerprint
    const earlier = isOvertaken ? accepted : (remembered ?? accepted)
    if (earlier && earlier.fingerprint !== fingerprint) return { status: 'key_reused', id }
    if (earlier?.rejected) return { status: 'rejected', id, reasons: earlier.rejected }

    const customer = body.customer === undefined ? undefined : customerToken(digest, tenant, body.customer)
    const { amount, currency, merchant } = body
    const risk = await ports.assess({ tenant, merchant, customer, amount, currency })
    const verdict = earlier ? { ...risk, isRefused: false } : risk
    await ports.door.append([requested(offer, { ...about, customer, fingerprint, risk: verdict }, ports)])

    const rejected = verdict.isRefused ? verdict.reasons : undefined
    memory.remember(id, tenant, mode, { fingerprint, rejected })
    if (rejected) return { status: 'rejected', id, reasons: rejected }
    return { status: earlier ? 'repeated' : 'accepted', id }
  }
}

/** The keyed digest by which a customer is known everywhere but in sealed text. */
export function customerToken(digest: Digest, tenant: string, customer: string): string {
  return `cus_${digest('customer', tenant, customer)}`
}

export function detailsContext(tenant: string): string {
  return `${tenant}/payment.requested/details`
}

/** What a payment method is sealed to: only whoever makes the gateway call opens it. */
export function paymentMethodContext(tenant: string): string {
  return `${tenant}/payment.requested/paymentMethod`
}

type About = { id: PaymentId; expiresAt: number; splits: PaymentRequested['splits'] }

type Known = About & {
  customer: string | undefined
  fingerprint: string
  risk: { score: number; reasons: readonly string[]; isRefused: boolean }
}

function requested(offer: PaymentOffer, known: Known, { seal, inbox, clock }: AcceptPorts): NewEvent {
  const { tenant, mode, body, traceparent } = offer
  const { id, customer, fingerprint, expiresAt, splits, risk } = known
  const subject = customer === undefined ? `payment:${id}` : `person:${customer}`
  const key = seal.dataKey({ tenant, subject })
  const details = { customer: body.customer, description: body.description, metadata: body.metadata }
  const eventId = brandId<EventId>(`evt_${seal.digest('request', id, fingerprint, traceparent)}`)
  const data: PaymentRequested = {
    amount: body.amount,
    currency: body.currency,
    merchant: body.merchant,
    ...(customer === undefined ? {} : { customer }),
    captureMode: body.capture_mode ?? 'automatic',
    expiresAt,
    ...(splits ? { splits } : {}),
    fingerprint,
    risk: { score: risk.score, reasons: [...risk.reasons], isRefused: risk.isRefused, assessedAt: clock.now() },
    details: seal.seal(key, JSON.stringify(details), detailsContext(tenant)),
    paymentMethod: seal.seal(key, body.payment_method, paymentMethodContext(tenant)),
  }
  const about = { tenant, mode, traceparent, causationId: null, correlationId: eventId }
  return { id: eventId, of: inbox, key: id, ...about, data, dataKeys: [key] }
}

function checkBody(body: PaymentBody): void {
  if (parseCurrency(body.currency) === undefined) throw new Refusal('currency_unknown', { field: 'currency' })
  if (containsCardNumber(body.merchant)) {
    throw new Refusal('body_invalid', { field: 'merchant', detail: 'merchant must not contain a card number' })
  }
}
