import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import { type Books, openBooks } from './books.ts'
import type { CaptureMethod, Charge, Dispute, Intent, Metadata, Payout, ProducedEvent, Refund } from './objects.ts'

export type IntentInput = {
  amount: number
  currency: string
  captureMethod: CaptureMethod
  confirm: boolean
  paymentMethod: string | null
  metadata: Metadata
  /** Set to have the bank say no, and why. */
  declineCode?: string
}

/** What an operation made of its object, and the events that tell it, in the order they happened. */
export type Done<Thing> = { readonly object: Thing; readonly events: ProducedEvent[] }

/** The operation is not possible as things are: nothing was done. */
export class BankRefusal extends Error {
  override name = 'BankRefusal'
  readonly code: string

  constructor(code: string) {
    super(`the simulated gateway refuses: ${code}`)
    this.code = code
  }
}

/** The money side of the simulated gateway: objects, states, events. No network, no waiting. */
export type Bank = {
  createIntent(input: IntentInput): Done<Intent>
  captureIntent(id: string, amount?: number): Done<Intent>
  cancelIntent(id: string): Done<Intent>
  refund(charge: string, amount?: number): Done<Refund>
  dispute(charge: string, amount?: number): Done<Dispute>
  closeDispute(id: string, outcome: 'won' | 'lost'): Done<Dispute>
  /** Sends everything of a currency to the bank account; undefined where there is nothing to send. */
  payout(currency: string): Done<Payout> | undefined
  intent(id: string): Intent | undefined
  intentsOf(reference: string): Intent[]
  charge(id: string): Charge | undefined
}

export function createBank(options: { clock: Clock; random: Random; feeBasisPoints: number }): Bank {
  const intents = new Map<string, Intent>()
  const byReference = new Map<string, Intent[]>()
  const charges = new Map<string, { charge: Charge; intent: Intent }>()
  const disputes = new Map<string, Dispute>()
  const books = openBooks(options)

  const need = <Thing>(found: Thing | undefined, code: string): Thing => {
    if (found === undefined) throw new BankRefusal(code)
    return found
  }

  return {
    createIntent(input) {
      const intent = newIntent(input, books)
      intents.set(intent.id, intent)
      const reference = input.metadata.millrace_payment
      if (reference !== undefined) byReference.set(reference, [...(byReference.get(reference) ?? []), intent])
      const events = [books.event('payment_intent.created', intent)]
      if (input.confirm) events.push(...confirm(intent, input.declineCode, books))
      if (intent.latest_charge !== null) charges.set(intent.latest_charge.id, { charge: intent.latest_charge, intent })
      return { object: intent, events }
    },
    captureIntent: (id, amount) => capture(need(intents.get(id), 'resource_missing'), amount, books),
    cancelIntent: (id) => cancel(need(intents.get(id), 'resource_missing'), books),
    refund: (id, amount) => refund(need(charges.get(id), 'resource_missing').charge, amount, books),
    dispute(id, amount) {
      const done = openDispute(need(charges.get(id), 'resource_missing').charge, amount, books)
      disputes.set(done.object.id, done.object)
      return done
    },
    closeDispute: (id, outcome) => closeDispute(need(disputes.get(id), 'resource_missing'), outcome, books),
    payout: (currency) => payout(currency, books),
    intent: (id) => intents.get(id),
    intentsOf: (reference) => byReference.get(reference) ?? [],
    charge: (id) => charges.get(id)?.charge,
  }
}

function newIntent(input: IntentInput, books: Books): Intent {
  return {
    ...books.about('pi', input.amount, input.currency),
    object: 'payment_intent',
    amount_received: 0,
    amount_capturable: 0,
    capture_method: input.captureMethod,
    last_payment_error: null,
    latest_charge: null,
    metadata: input.metadata,
    payment_method: input.paymentMethod,
    status: 'requires_confirmation',
  }
}

function confirm(intent: Intent, declineCode: string | undefined, books: Books): ProducedEvent[] {
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

function decline(intent: Intent, charge: Charge, declineCode: string, books: Books): ProducedEvent[] {
  // As Stripe does: one code that a card was declined, the bank's own reason beside it.
  charge.failure_code = 'card_declined'
  intent.status = 'requires_payment_method'
  intent.last_payment_error = {
    type: 'card_error',
    code: 'card_declined',
    decline_code: declineCode,
    charge: charge.id,
  }
  return [books.event('charge.failed', charge), books.event('payment_intent.payment_failed', intent)]
}

function take(intent: Intent, charge: Charge, amount: number, books: Books): void {
  charge.captured = true
  charge.amount_captured = amount
  // A partial capture releases the rest, which Stripe counts among the refunded.
  charge.amount_refunded = charge.amount - amount
  charge.balance_transaction = books.move(amount, books.feeOf(amount, charge.currency), charge.currency)
  intent.amount_capturable = 0
  intent.amount_received = amount
  intent.status = 'succeeded'
}

function capture(intent: Intent, amount: number | undefined, books: Books): Done<Intent> {
  const charge = intent.latest_charge
  const taken = amount ?? intent.amount_capturable
  if (intent.status !== 'requires_capture' || charge === null) throw new BankRefusal('payment_intent_unexpected_state')
  if (taken < 1 || taken > intent.amount_capturable) throw new BankRefusal('amount_too_large')
  take(intent, charge, taken, books)
  const events = [books.event('charge.captured', charge), books.event('payment_intent.succeeded', intent)]
  return { object: intent, events }
}

function cancel(intent: Intent, books: Books): Done<Intent> {
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    throw new BankRefusal('payment_intent_unexpected_state')
  }
  const charge = intent.status === 'requires_capture' ? intent.latest_charge : null
  intent.status = 'canceled'
  intent.amount_capturable = 0
  const events = [books.event('payment_intent.canceled', intent)]
  if (charge !== null) {
    charge.refunded = true
    charge.amount_refunded = charge.amount
    events.push(books.event('charge.refunded', charge))
  }
  return { object: intent, events }
}

function refund(charge: Charge, amount: number | undefined, books: Books): Done<Refund> {
  const left = charge.captured ? charge.amount - charge.amount_refunded : 0
  const given = amount ?? left
  if (left === 0) throw new BankRefusal('charge_already_refunded')
  if (given < 1 || given > left) throw new BankRefusal('amount_too_large')
  charge.amount_refunded += given
  charge.refunded = charge.amount_refunded === charge.amount
  const object: Refund = {
    ...books.about('re', given, charge.currency),
    object: 'refund',
    balance_transaction: books.move(-given, 0, charge.currency),
    charge: charge.id,
    payment_intent: charge.payment_intent,
    status: 'succeeded',
  }
  return { object, events: [books.event('refund.created', object), books.event('charge.refunded', charge)] }
}

/** What was refunded is not in dispute any more. */
function openDispute(charge: Charge, amount: number | undefined, books: Books): Done<Dispute> {
  const disputable = charge.captured ? charge.amount - charge.amount_refunded : 0
  const disputed = amount ?? disputable
  if (disputed < 1 || disputed > disputable) throw new BankRefusal('charge_not_disputable')
  const object: Dispute = {
    ...books.about('du', disputed, charge.currency),
    object: 'dispute',
    balance_transactions: [],
    charge: charge.id,
    is_charge_refundable: false,
    payment_intent: charge.payment_intent,
    reason: 'fraudulent',
    status: 'needs_response',
  }
  const created = books.event('charge.dispute.created', object)
  object.balance_transactions.push(books.move(-disputed, books.disputeFeeOf(charge.currency), charge.currency))
  return { object, events: [created, books.event('charge.dispute.funds_withdrawn', object)] }
}

function closeDispute(dispute: Dispute, outcome: 'won' | 'lost', books: Books): Done<Dispute> {
  if (dispute.status !== 'needs_response') throw new BankRefusal('dispute_already_closed')
  dispute.status = outcome
  const events = [books.event('charge.dispute.closed', dispute)]
  if (outcome === 'won') {
    dispute.balance_transactions.push(books.move(dispute.amount, 0, dispute.currency))
    events.push(books.event('charge.dispute.funds_reinstated', dispute))
  }
  return { object: dispute, events }
}

function payout(currency: string, books: Books): Done<Payout> | undefined {
  const amount = books.balance(currency)
  if (amount <= 0) return undefined
  books.move(-amount, 0, currency)
  const object: Payout = { ...books.about('po', amount, currency), object: 'payout', status: 'pending' }
  const events = [books.event('payout.created', object)]
  object.status = 'paid'
  return { object, events: [...events, books.event('payout.paid', object)] }
}
