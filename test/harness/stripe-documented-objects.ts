import { isObject } from '#gateways/stripe'
import { created, type StripeEvent, type StripeObject } from './stripe-events.ts'

// Events and their objects as https://docs.stripe.com/api shows them.

let events = 0

export function event(type: string, object: StripeObject, about: Record<string, unknown> = {}): StripeEvent {
  const { previous_attributes, ...fields } = about
  const before = isObject(previous_attributes) ? { previous_attributes } : {}
  return {
    id: `evt_1NG8Du2eZvKYlo2CUI79vX${String(++events).padStart(4, '0')}`,
    object: 'event',
    api_version: '2023-10-16',
    created,
    livemode: false,
    pending_webhooks: 1,
    request: { id: 'req_8mV6DkR0p5jG1T', idempotency_key: '7d8e2c1a-40b8-4c53-9a0f-0d6d5f7f9e11' },
    type,
    data: { object, ...before },
    ...fields,
  }
}

export function intent(name: string, about: StripeObject = {}): StripeObject {
  return {
    id: `pi_${name}`,
    object: 'payment_intent',
    amount: 2000,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 2000,
    automatic_payment_methods: { enabled: true },
    capture_method: 'automatic',
    client_secret: `pi_${name}_secret_YrKJUKribcBjcG8HVhfZluoGH`,
    confirmation_method: 'automatic',
    created,
    currency: 'usd',
    last_payment_error: null,
    latest_charge: `ch_${name}`,
    livemode: false,
    metadata: {},
    next_action: null,
    payment_method_types: ['card', 'link'],
    status: 'succeeded',
    ...about,
  }
}

export function charge(name: string, about: StripeObject = {}): StripeObject {
  return {
    id: `ch_${name}`,
    object: 'charge',
    amount: 2000,
    amount_captured: 2000,
    amount_refunded: 0,
    balance_transaction: `txn_${name}`,
    billing_details: { address: { postal_code: '94107' }, email: null, name: 'Jenny Rosen', phone: null },
    captured: true,
    created,
    currency: 'usd',
    disputed: false,
    failure_code: null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    outcome: {
      network_status: 'approved_by_network',
      risk_level: 'normal',
      seller_message: 'Payment complete.',
      type: 'authorized',
    },
    paid: true,
    payment_intent: `pi_${name}`,
    payment_method_details: { type: 'card', card: { brand: 'visa', last4: '4242', exp_month: 3, exp_year: 2034 } },
    refunded: false,
    status: 'succeeded',
    ...about,
  }
}

export function refund(name: string, part: string, amount: number, about: StripeObject = {}): StripeObject {
  return {
    id: `re_${name}_${part}`,
    object: 'refund',
    amount,
    balance_transaction: `txn_${name}_${part}`,
    charge: `ch_${name}`,
    created,
    currency: 'usd',
    destination_details: {
      card: { reference: '123456789012', reference_status: 'available', type: 'refund' },
      type: 'card',
    },
    metadata: {},
    payment_intent: `pi_${name}`,
    reason: 'requested_by_customer',
    status: 'succeeded',
    ...about,
  }
}

export function dispute(name: string, about: StripeObject = {}): StripeObject {
  return {
    id: `du_${name}`,
    object: 'dispute',
    amount: 2000,
    balance_transactions: [],
    charge: `ch_${name}`,
    created,
    currency: 'usd',
    evidence: { customer_email_address: 'jenny@example.com', customer_name: 'Jenny Rosen' },
    evidence_details: { due_by: created + 604_800, has_evidence: false, past_due: false, submission_count: 0 },
    is_charge_refundable: false,
    metadata: {},
    payment_intent: `pi_${name}`,
    reason: 'general',
    status: 'needs_response',
    ...about,
  }
}

export function withdrawal(name: string): StripeObject {
  return {
    id: `txn_dispute_${name}`,
    object: 'balance_transaction',
    amount: -2000,
    currency: 'usd',
    fee: 1500,
    net: -3500,
    reporting_category: 'dispute',
    source: `du_${name}`,
    status: 'available',
    type: 'adjustment',
  }
}
