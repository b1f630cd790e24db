/** The objects of the simulated gateway, in Stripe's shape and Stripe's units. */
export type BalanceTransaction = {
  id: string
  object: 'balance_transaction'
  amount: number
  currency: string
  fee: number
  net: number
  type: 'charge' | 'refund' | 'refund_failure' | 'adjustment' | 'payout'
  /** The object that moved the money. */
  source: string
  /** Unix seconds, as everywhere here. */
  created: number
  available_on: number
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
  /** Where the payer proves who they are, as long as the intent waits for it. */
  next_action: { type: 'redirect_to_url'; redirect_to_url: { url: string } } | null
  payment_method: string | null
  status:
    | 'requires_confirmation'
    | 'requires_payment_method'
    | 'requires_action'
    | 'requires_capture'
    | 'succeeded'
    | 'canceled'
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
  /** Gives back to our balance what did not reach the payer. */
  failure_balance_transaction: BalanceTransaction | null
  failure_reason: string | null
  metadata: Metadata
  payment_intent: string
  status: 'succeeded' | 'failed'
}

export type Dispute = About & {
  object: 'dispute'
  balance_transactions: BalanceTransaction[]
  charge: string
  evidence_details: { due_by: number; has_evidence: boolean; submission_count: number }
  is_charge_refundable: boolean
  payment_intent: string
  reason: string
  /** With `warning_`: an inquiry, which takes no money. */
  status:
    | 'warning_needs_response'
    | 'warning_under_review'
    | 'warning_closed'
    | 'needs_response'
    | 'under_review'
    | 'won'
    | 'lost'
}

export type Payout = About & { object: 'payout'; arrival_date: number; status: 'pending' | 'paid' }

export type CaptureMethod = 'automatic' | 'manual'
export type Metadata = Readonly<Record<string, string>>
export type PaymentError = {
  type: 'card_error' | 'invalid_request_error'
  code: string
  decline_code: string | null
  charge: string | null
}

/** What a gateway object turned into, as an event tells it. `body` is the exact text of every webhook of it. */
export type ProducedEvent = { readonly id: string; readonly type: string; readonly body: string }

/** What an operation made of its object, and the events that tell it, in the order they happened. */
export type Done<Thing> = { readonly object: Thing; readonly events: ProducedEvent[] }

/** The operation is not possible as things are: nothing was done. */
export class BankRefusal extends Error {
  override name = 'BankRefusal'
  readonly code: string
  /** The field of the request that was wrong, where one was. */
  readonly param: string | undefined

  constructor(code: string, about: { message?: string; param?: string } = {}) {
    super(about.message ?? `Not possible as things are: ${code}.`)
    this.code = code
    this.param = about.param
  }
}
