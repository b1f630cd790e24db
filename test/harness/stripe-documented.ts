import { charge, dispute, event, intent, refund, withdrawal } from './stripe-documented-objects.ts'
import { created, type StripeEvent, type StripeObject } from './stripe-events.ts'

// Lineages after Stripe's documentation. Objects are cut down to the fields that the documentation explains, and each
// lineage has what its API version had: `amount_captured` since 2020-08-27, no `charges` in an intent since 2022-11-15.

export function paidByCard(name: string): StripeEvent[] {
  const basil = { api_version: '2025-03-31.basil' }
  return [
    event(
      'payment_intent.created',
      intent(name, { status: 'requires_payment_method', amount_received: 0, latest_charge: null }),
      basil,
    ),
    event('payment_intent.succeeded', intent(name), basil),
    event('charge.succeeded', charge(name, { balance_transaction: null }), basil),
    event('charge.updated', charge(name), { ...basil, previous_attributes: { balance_transaction: null } }),
  ]
}

export function declined(name: string): StripeEvent[] {
  const error = { type: 'card_error', code: 'card_declined', decline_code: 'insufficient_funds', charge: `ch_${name}` }
  return [
    event(
      'charge.failed',
      charge(name, {
        status: 'failed',
        paid: false,
        captured: false,
        amount_captured: 0,
        balance_transaction: null,
        failure_code: 'card_declined',
        failure_message: 'Your card has insufficient funds.',
        outcome: { network_status: 'declined_by_network', reason: 'insufficient_funds', type: 'issuer_declined' },
      }),
    ),
    event(
      'payment_intent.payment_failed',
      intent(name, {
        status: 'requires_payment_method',
        amount_received: 0,
        last_payment_error: error,
      }),
    ),
  ]
}

export function capturedInPart(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name, uncaptured)),
    event(
      'payment_intent.amount_capturable_updated',
      intent(name, {
        status: 'requires_capture',
        amount_received: 0,
        amount_capturable: 2000,
        capture_method: 'manual',
      }),
    ),
    event('charge.captured', charge(name, { amount_captured: 600, amount_refunded: 1400 })),
    event('payment_intent.succeeded', intent(name, { amount_received: 600, capture_method: 'manual' })),
  ]
}

export function canceledHold(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name, uncaptured)),
    event('charge.refunded', charge(name, { ...uncaptured, amount_refunded: 2000, refunded: true })),
    event(
      'payment_intent.canceled',
      intent(name, {
        status: 'canceled',
        amount_received: 0,
        canceled_at: created,
        cancellation_reason: 'requested_by_customer',
      }),
    ),
  ]
}

export function expiredHold(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name, uncaptured)),
    event('charge.expired', charge(name, { ...uncaptured, amount_refunded: 2000, refunded: true })),
    event(
      'payment_intent.canceled',
      intent(name, {
        status: 'canceled',
        amount_received: 0,
        canceled_at: created,
        cancellation_reason: 'automatic',
      }),
    ),
  ]
}

export function refundedWhole(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name)),
    event('refund.created', refund(name, '1', 2000), { api_version: '2024-10-28.acacia' }),
    event('charge.refunded', charge(name, { amount_refunded: 2000, refunded: true })),
  ]
}

export function refundedInParts(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name)),
    event('charge.refunded', charge(name, { amount_refunded: 400 })),
    event('charge.refunded', charge(name, { amount_refunded: 900 })),
    event('refund.created', refund(name, '1', 400)),
    event('refund.created', refund(name, '2', 500)),
    event('charge.refund.updated', refund(name, '2', 500)),
  ]
}

export function failedRefund(name: string): StripeEvent[] {
  const failed = refund(name, '1', 2000, {
    status: 'failed',
    failure_reason: 'lost_or_stolen_card',
    failure_balance_transaction: `txn_back_${name}`,
  })
  return [
    event('charge.succeeded', charge(name)),
    event('refund.created', refund(name, '1', 2000, { status: 'pending' })),
    event('charge.refunded', charge(name, { amount_refunded: 2000, refunded: true })),
    event('refund.updated', refund(name, '1', 2000)),
    event('refund.failed', failed),
    event('charge.refund.updated', failed),
  ]
}

export function disputeWon(name: string): StripeEvent[] {
  const back = [withdrawal(name), { ...withdrawal(name), id: `txn_back_${name}`, amount: 2000, fee: 0, net: 2000 }]
  return [
    event('charge.succeeded', charge(name)),
    event('charge.dispute.created', dispute(name, { balance_transactions: [withdrawal(name)] })),
    event('charge.dispute.funds_withdrawn', dispute(name, { balance_transactions: [withdrawal(name)] })),
    event(
      'charge.dispute.updated',
      dispute(name, { status: 'under_review', balance_transactions: [withdrawal(name)] }),
    ),
    event('charge.dispute.funds_reinstated', dispute(name, { status: 'won', balance_transactions: back })),
    event('charge.dispute.closed', dispute(name, { status: 'won', balance_transactions: back })),
  ]
}

export function disputeLost(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name)),
    event('charge.dispute.created', dispute(name, { balance_transactions: [withdrawal(name)] })),
    event('charge.dispute.funds_withdrawn', dispute(name, { balance_transactions: [withdrawal(name)] })),
    event('charge.dispute.closed', dispute(name, { status: 'lost', balance_transactions: [withdrawal(name)] })),
  ]
}

export function disputeInquiry(name: string): StripeEvent[] {
  return [
    event('charge.succeeded', charge(name)),
    event('charge.dispute.created', dispute(name, { status: 'warning_needs_response', is_charge_refundable: true })),
    event('charge.dispute.updated', dispute(name, { status: 'warning_under_review', is_charge_refundable: true })),
    event('charge.dispute.closed', dispute(name, { status: 'warning_closed', is_charge_refundable: true })),
  ]
}

export function debit(name: string): StripeEvent[] {
  const sepa = { payment_method_details: { type: 'sepa_debit', sepa_debit: { last4: '3000' } } }
  return [
    event('payment_intent.processing', intent(name, { status: 'processing', amount_received: 0 })),
    // A pending charge says that it is captured: it will be without further doing.
    event('charge.pending', charge(name, { ...sepa, status: 'pending', paid: false, balance_transaction: null })),
    event('charge.succeeded', charge(name, sepa)),
    event('payment_intent.succeeded', intent(name)),
  ]
}

export function threeDSecure(name: string): StripeEvent[] {
  const action = { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect' } }
  return [
    event(
      'payment_intent.created',
      intent(name, { status: 'requires_confirmation', amount_received: 0, latest_charge: null }),
    ),
    event(
      'payment_intent.requires_action',
      intent(name, {
        status: 'requires_action',
        amount_received: 0,
        latest_charge: null,
        next_action: action,
      }),
    ),
  ]
}

/** Before intents: a charge with its refunds inside, no `amount_captured`, and `paid` for a status. */
export function legacyCharge(name: string): StripeEvent[] {
  const old = { api_version: '2014-08-04', request: 'iar_2014' }
  const { amount_captured: _, payment_intent: __, ...before } = charge(name, { status: 'paid', invoice: null })
  const part = { id: `re_${name}_1`, object: 'refund', amount: 500, currency: 'usd', charge: `ch_${name}`, created }
  const list = (data: StripeObject[]) => ({ object: 'list', total_count: data.length, has_more: false, data })
  return [
    event('charge.succeeded', { ...before, refunds: list([]) }, old),
    event('charge.refunded', { ...before, amount_refunded: 500, refunds: list([part]) }, old),
  ]
}

export function legacyIntent(name: string): StripeEvent[] {
  const { amount_captured: _, ...inside } = charge(name)
  const charges = {
    object: 'list',
    data: [inside],
    has_more: false,
    total_count: 1,
    url: `/v1/charges?payment_intent=pi_${name}`,
  }
  const { latest_charge: __, ...old } = intent(name)
  return [event('payment_intent.succeeded', { ...old, charges }, { api_version: '2019-03-14' })]
}

export function oneCharge(name: string, amount: number, currency: string): StripeEvent[] {
  return [event('charge.succeeded', charge(name, { amount, amount_captured: amount, currency }))]
}

export function payoutEvents(name: string): StripeEvent[] {
  const payout = {
    id: `po_${name}`,
    object: 'payout',
    amount: 1100,
    currency: 'usd',
    arrival_date: created + 86_400,
    automatic: true,
    balance_transaction: `txn_${name}`,
    destination: 'ba_1MtIhL2eZvKYlo2CAElKwKu2',
    method: 'standard',
    type: 'bank_account',
  }
  return [
    event('payout.created', { ...payout, status: 'pending' }),
    event('payout.paid', { ...payout, status: 'paid' }),
    event('payout.failed', {
      ...payout,
      status: 'failed',
      failure_code: 'account_closed',
      failure_message: 'The bank account has been closed',
    }),
  ]
}

/** Genuine, and nothing that a payment is made of; or of a payment, with values that no version has had yet. */
export function unheardOf(): StripeEvent[] {
  const plain: [type: string, object: StripeObject][] = [
    [
      'customer.created',
      { id: 'cus_9s6XKzkNRiz8i3', object: 'customer', email: 'jenny@example.com', name: 'Jenny Rosen' },
    ],
    ['invoice.paid', { id: 'in_1MtHbELkdIwHu7ixl4OzzPMv', object: 'invoice', amount_paid: 1000, currency: 'usd' }],
    [
      'checkout.session.completed',
      { id: 'cs_test_a11YYufWQzNY63zpQ6QSNRQhkUpVph4WRmzW0zWJO2znZKdVujZ0N0S22u', object: 'checkout.session' },
    ],
    [
      'radar.early_fraud_warning.created',
      { id: 'issfr_123', object: 'radar.early_fraud_warning', charge: 'ch_x', fraud_type: 'misc' },
    ],
    ['balance.available', { object: 'balance', available: [{ amount: 2217713, currency: 'usd' }] }],
    [
      'quantum.entanglement.observed',
      { id: 'qe_1', object: 'quantum.entanglement', spin: { up: [null, { down: 1e308 }] } },
    ],
    [
      'payment_intent.teleported',
      { id: 'pi_future', object: 'payment_intent', status: 'requires_moon', amount: 5, currency: 'usd' },
    ],
    [
      'charge.succeeded',
      { id: 'ch_strange', object: 'charge', status: 'superposed', amount: 5, currency: 'usd', captured: 'maybe' },
    ],
    [
      'charge.succeeded',
      { id: 'ch_textual', object: 'charge', status: 'succeeded', amount: '2000', currency: 'usd', captured: true },
    ],
    [
      'charge.succeeded',
      { id: 'ch_less', object: 'charge', status: 'succeeded', amount: -5, currency: 'usd', captured: true },
    ],
    [
      'charge.succeeded',
      { id: 'ch_coin', object: 'charge', status: 'succeeded', amount: 5, currency: 'doge', captured: true },
    ],
    [
      'charge.succeeded',
      {
        id: 'ch_none',
        object: 'charge',
        status: 'succeeded',
        amount: 0,
        amount_captured: 0,
        currency: 'usd',
        captured: true,
      },
    ],
    ['charge.succeeded', { object: 'charge', status: 'succeeded', amount: 5, currency: 'usd', captured: true }],
    [
      'refund.created',
      {
        id: 're_lonely',
        object: 'refund',
        status: 'succeeded',
        amount: 5,
        currency: 'usd',
        charge: null,
        payment_intent: null,
      },
    ],
    [
      'charge.dispute.created',
      { id: 'dp_odd', object: 'dispute', status: 'prevented', amount: 5, currency: 'usd', charge: { id: 7 } },
    ],
    [
      'payout.reconciliation_completed',
      { id: 'po_odd', object: 'payout', status: 'reconciled', amount: 5, currency: 'usd' },
    ],
    [
      'charge.failed',
      {
        id: 'ch_\u0000\ud800 é/../',
        object: 'charge',
        status: 'failed',
        amount: 5,
        currency: 'usd',
        description: '\u0000',
      },
    ],
  ]
  return plain.map(([type, object], number) =>
    event(type, object, {
      id: number % 2 === 0 ? `evt_unheard_${number}` : `evt-unheard.of/${number} é`,
      account: 'acct_1032D82eZvKYlo2C',
      api_version: number % 3 === 0 ? null : '2031-01-01.unknown',
      request: number % 2 === 0 ? null : 'req_old_style',
      reason: { type: 'request', request: { id: 'req_1', nested: { deep: [[[]]] } } },
    }),
  )
}

const uncaptured = { captured: false, amount_captured: 0, balance_transaction: null }
