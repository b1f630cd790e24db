import type { Bookkeeping } from './bank.ts'
import {
  BankRefusal,
  type CaptureMethod,
  type Charge,
  type Done,
  type Intent,
  type Metadata,
  type PaymentError,
  type ProducedEvent,
} from './objects.ts'

export type IntentInput = {
  amount: number
  currency: string
  captureMethod: CaptureMethod
  confirm: boolean
  paymentMethod: string | null
  metadata: Metadata
  /** Set to have the bank say no, and why. */
  declineCode?: string
  /** Set to have the bank ask for 3-D Secure first. */
  isChallenged?: boolean
}

export function createIntent(input: IntentInput, books: Bookkeeping): Done<Intent> {
  const intent: Intent = {
    ...books.about('pi', input.amount, input.currency),
    object: 'payment_intent',
    amount_received: 0,
    amount_capturable: 0,
    capture_method: input.captureMethod,
    last_payment_error: null,
    latest_charge: null,
    metadata: input.metadata,
    next_action: null,
    payment_method: input.paymentMethod,
    status: 'requires_confirmation',
  }
  const events = [books.event('payment_intent.created', intent)]
  if (input.confirm && input.isChallenged === true) events.push(challenge(intent, books))
  else if (input.confirm) events.push(...confirm(intent, input.declineCode, books))
  return { object: intent, events }
}

function challenge(intent: Intent, books: Bookkeeping): ProducedEvent {
  intent.status = 'requires_action'
  intent.next_action = { type: 'redirect_to_url', redirect_to_url: { url: books.challengeUrl(intent.id) } }
  return books.event('payment_intent.requires_action', intent)
}

/** The payer proved who they are: the payment goes on as any other. */
export function completeChallenge(intent: Intent, books: Bookkeeping): Done<Intent> {
  needsChallenge(intent)
  return { object: intent, events: confirm(intent, undefined, books) }
}

/** The payer could not prove who they are: nothing was charged, and nothing will be. */
export function failChallenge(intent: Intent, books: Bookkeeping): Done<Intent> {
  needsChallenge(intent)
  intent.status = 'requires_payment_method'
  intent.next_action = null
  const code = 'payment_intent_authentication_failure'
  intent.last_payment_error = { type: 'invalid_request_error', code, decline_code: null, charge: null }
  return { object: intent, events: [books.event('payment_intent.payment_failed', intent)] }
}

function needsChallenge({ status }: Intent): void {
  if (status !== 'requires_action') throw new BankRefusal('payment_intent_unexpected_state')
}

function confirm(intent: Intent, declineCode: string | undefined, books: Bookkeeping): ProducedEvent[] {
  const charge: Charge = {
    ...books.about('ch', intent.amount, intent.currency),
    object: 'charge',
    amount_captured: 0,
    amount_refunded: 0,
    balance_transaction: null,
    captured: false,
    failure_code: null,
    metadata: intent.metadata,
    paid: declineCode === undefined,
    payment_intent: intent.id,
    refunded: false,
    status: declineCode === undefined ? 'succeeded' : 'failed',
  }
  intent.latest_charge = charge
  intent.next_action = null
  if (declineCode !== undefined) return decline(intent, charge, declineCode, books)
  if (intent.capture_method === 'manual') {
    intent.status = 'requires_capture'
    intent.amount_capturable = intent.amount
    const told = books.event('charge.succeeded', charge)
    return [told, books.event('payment_intent.amount_capturable_updated', intent)]
  }
  take(intent, charge, intent.amount, books)
  return [books.event('charge.succeeded', charge), books.event('payment_intent.succeeded', intent)]
}

/** As Stripe does: these have an error code of their own; all else is a declined card, the bank's reason beside it. */
const ownCodes: ReadonlySet<string> = new Set(['expired_card', 'incorrect_cvc', 'processing_error'])

function decline(intent: Intent, charge: Charge, declineCode: string, books: Bookkeeping): ProducedEvent[] {
  const code = ownCodes.has(declineCode) ? declineCode : 'card_declined'
  const error: PaymentError = { type: 'card_error', code, decline_code: declineCode, charge: charge.id }
  charge.failure_code = code
  intent.status = 'requires_payment_method'
  intent.last_payment_error = error
  return [books.event('charge.failed', charge), books.event('payment_intent.payment_failed', intent)]
}

function take(intent: Intent, charge: Charge, amount: number, books: Bookkeeping): void {
  const { currency } = charge
  charge.captured = true
  charge.amount_captured = amount
  // A partial capture releases the rest, which Stripe counts among the refunded.
  charge.amount_refunded = charge.amount - amount
  const posting = { type: 'charge', source: charge.id, amount, fee: books.feeOf(amount, currency), currency } as const
  charge.balance_transaction = books.move(posting, intent)
  intent.amount_capturable = 0
  intent.amount_received = amount
  intent.status = 'succeeded'
}

export function captureIntent(intent: Intent, amount: number | undefined, books: Bookkeeping): Done<Intent> {
  const charge = intent.latest_charge
  const taken = amount ?? intent.amount_capturable
  if (intent.status !== 'requires_capture' || charge === null) throw new BankRefusal('payment_intent_unexpected_state')
  if (taken < 1 || taken > intent.amount_capturable) throw new BankRefusal('amount_too_large')
  take(intent, charge, taken, books)
  const events = [books.event('charge.captured', charge), books.event('payment_intent.succeeded', intent)]
  return { object: intent, events }
}

export function cancelIntent(intent: Intent, books: Bookkeeping): Done<Intent> {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    throw new BankRefusal('payment_intent_unexpected_state')
  }
  const charge = intent.status === 'requires_capture' ? intent.latest_charge : null
  intent.status = 'canceled'
  intent.next_action = null
  intent.amount_capturable = 0
  if (charge === null) return { object: intent, events: [books.event('payment_intent.canceled', intent)] }
  const canceled = books.event('payment_intent.canceled', intent)
  charge.refunded = true
  charge.amount_refunded = charge.amount
  return { object: intent, events: [canceled, books.event('charge.refunded', charge)] }
}
