/** The objects of the simulated gateway, in Stripe's shape and Stripe's units. */
export type BalanceTransaction = {
  id: string
  object: 'balance_transaction'
  amount: number
  currency: string
  fee: number
  net: number
}

type About = { id: string; amount: number; currency: string; created: number; livemode: false }

export type Intent = About & {
  object: 'payment_intent'
  amount_received: number
  amount_capturable: number
  capture_method: CaptureMethod
  last_payment_error: PaymentError | null
  latest_charge: Charge | null
  metadata: Metadata
  payment_method: string | null
  status: 'requires_confirmation' | 'requires_payment_method' | 'requires_capture' | 'succeeded' | 'canceled'
}

export type Charge = About & {
  object: 'charge'
  amount_captured: number
  amount_refunded: number
  balance_transaction: BalanceTransaction | null
  captured: boolean
  failure_code: string | null
  metadata: Metadata
  paid: boolean
  payment_intent: string
  refunded: boolean
  status: 'succeeded' | 'failed'
}

export type Refund = About & {
  object: 'refund'
  balance_transaction: BalanceTransaction | null
  charge: string
  payment_intent: string
  status: 'succeeded'
}

export type Dispute = About & {
  object: 'dispute'
  balance_transactions: BalanceTransaction[]
  charge: string
  is_charge_refundable: boolean
  payment_intent: string
  reason: string
  status: 'needs_response' | 'won' | 'lost'
}

export type Payout = About & { object: 'payout'; status: 'pending' | 'paid' }

export type CaptureMethod = 'automatic' | 'manual'
export type Metadata = Readonly<Record<string, string>>
export type PaymentError = { type: 'card_error'; code: string; decline_code: string | null; charge: string }

/** What a gateway object turned into, as an event tells it. `body` is the exact text of every webhook of it. */
export type ProducedEvent = { readonly id: string; readonly type: string; readonly body: string }
