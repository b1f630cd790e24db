/** A webhook body in the shape Stripe documents (https://docs.stripe.com/api/events/object). */
export type StripeEvent = {
  readonly id: string
  readonly object: 'event'
  readonly type: string
  readonly created: number
  readonly livemode: boolean
  readonly data: { readonly object: StripeObject; readonly previous_attributes?: StripeObject }
  readonly [field: string]: unknown
}

export type StripeObject = Readonly<Record<string, unknown>>

/** Every event of a lineage in one second, as Stripe stamps them: an order is not to be had from it. */
export const created = 1_767_225_600

let events = 0

export function stripeEvent(type: string, object: StripeObject, about: Partial<StripeEvent> = {}): StripeEvent {
  return {
    id: `evt_test_${process.pid}_${++events}`,
    object: 'event',
    api_version: '2024-06-20',
    created,
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
    ...about,
  }
}

export function intentObject(name: string, about: StripeObject = {}): StripeObject {
  return {
    id: `pi_${name}`,
    object: 'payment_intent',
    amount: 1000,
    amount_received: 1000,
    amount_capturable: 0,
    currency: 'eur',
    status: 'succeeded',
    latest_charge: `ch_${name}`,
    metadata: {},
    ...about,
  }
}

export function chargeObject(name: string, about: StripeObject = {}): StripeObject {
  const amount = about.amount ?? 1000
  return {
    id: `ch_${name}`,
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    captured: true,
    currency: 'eur',
    paid: true,
    refunded: false,
    status: 'succeeded',
    payment_intent: `pi_${name}`,
    metadata: {},
    ...about,
  }
}

/** Names its charge alone: no payment intent, no reference of ours. */
export function refundObject(name: string, part: string, amount: number, about: StripeObject = {}): StripeObject {
  const base = { id: `re_${name}_${part}`, object: 'refund', amount, currency: 'eur', charge: `ch_${name}` }
  return { ...base, status: 'succeeded', metadata: {}, ...about }
}

export function disputeObject(name: string, amount: number, about: StripeObject = {}): StripeObject {
  const base = { id: `dp_${name}`, object: 'dispute', amount, currency: 'eur', charge: `ch_${name}` }
  return { ...base, status: 'needs_response', reason: 'fraudulent', balance_transactions: [], metadata: {}, ...about }
}

export function payoutObject(name: string, amount: number, about: StripeObject = {}): StripeObject {
  return { id: `po_${name}`, object: 'payout', amount, currency: 'eur', status: 'paid', metadata: {}, ...about }
}

export function chargeSucceeded(name: string, amount = 1000): StripeEvent {
  return stripeEvent('charge.succeeded', chargeObject(name, { amount }), { id: `evt_charge_${name}` })
}
