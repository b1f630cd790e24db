import type { Bookkeeping } from './bank.ts'
import type { Folder } from './folders.ts'
import { BankRefusal, type Dispute, type Done, type Intent, type ProducedEvent } from './objects.ts'

export type DisputeInput = {
  readonly amount?: number | undefined
  readonly reason?: string | undefined
  /** An inquiry asks first: it takes no money, and may become a dispute. */
  readonly isInquiry?: boolean | undefined
  /** How long there is to respond; a dispute that nobody responded to is lost. */
  readonly dueInSeconds?: number | undefined
}

/** What card networks leave at the least. */
const dueInSecondsDefault = 7 * 24 * 60 * 60

/** What was refunded is not in dispute any more. */
export function openDispute({ intent, disputes }: Folder, input: DisputeInput, books: Bookkeeping): Done<Dispute> {
  const charge = intent.latest_charge
  const disputable = charge?.captured ? charge.amount - charge.amount_refunded : 0
  const disputed = input.amount ?? disputable
  if (charge === null || disputed < 1 || disputed > disputable) throw new BankRefusal('charge_not_disputable')
  const isInquiry = input.isInquiry === true
  const dueBy = books.now() + (input.dueInSeconds ?? dueInSecondsDefault)
  const dispute: Dispute = {
    ...books.about('du', disputed, charge.currency),
    object: 'dispute',
    balance_transactions: [],
    charge: charge.id,
    evidence_details: { due_by: dueBy, has_evidence: false, submission_count: 0 },
    is_charge_refundable: isInquiry,
    payment_intent: intent.id,
    reason: input.reason ?? 'fraudulent',
    status: isInquiry ? 'warning_needs_response' : 'needs_response',
  }
  disputes.push(dispute)
  const created = books.event('charge.dispute.created', dispute)
  return { object: dispute, events: isInquiry ? [created] : [created, withdraw(dispute, intent, books)] }
}

/** The payer is not content with the answer to an inquiry: now it takes the money. */
export function escalateDispute({ intent }: Folder, dispute: Dispute, books: Bookkeeping): Done<Dispute> {
  if (dispute.status !== 'warning_needs_response' && dispute.status !== 'warning_under_review') throw closed()
  dispute.status = 'needs_response'
  dispute.is_charge_refundable = false
  const updated = books.event('charge.dispute.updated', dispute)
  return { object: dispute, events: [updated, withdraw(dispute, intent, books)] }
}

/** Evidence goes to the payer's bank, once. */
export function respondToDispute(dispute: Dispute, books: Bookkeeping): Done<Dispute> {
  if (dispute.status === 'needs_response') dispute.status = 'under_review'
  else if (dispute.status === 'warning_needs_response') dispute.status = 'warning_under_review'
  else throw closed()
  const { due_by: dueBy } = dispute.evidence_details
  dispute.evidence_details = { due_by: dueBy, has_evidence: true, submission_count: 1 }
  return { object: dispute, events: [books.event('charge.dispute.updated', dispute)] }
}

export function closeDispute(
  { intent }: Folder,
  dispute: Dispute,
  outcome: 'won' | 'lost',
  books: Bookkeeping,
): Done<Dispute> {
  if (dispute.status !== 'needs_response' && dispute.status !== 'under_review') throw closed()
  dispute.status = outcome
  const events = [books.event('charge.dispute.closed', dispute)]
  if (outcome === 'won') {
    const { amount, currency } = dispute
    const posting = { type: 'adjustment', source: dispute.id, amount, fee: 0, currency } as const
    dispute.balance_transactions.push(books.move(posting, intent))
    events.push(books.event('charge.dispute.funds_reinstated', dispute))
  }
  return { object: dispute, events }
}

/** An inquiry that came to nothing. */
export function closeInquiry(dispute: Dispute, books: Bookkeeping): Done<Dispute> {
  if (dispute.status !== 'warning_needs_response' && dispute.status !== 'warning_under_review') throw closed()
  dispute.status = 'warning_closed'
  return { object: dispute, events: [books.event('charge.dispute.closed', dispute)] }
}

function withdraw(dispute: Dispute, intent: Intent, books: Bookkeeping): ProducedEvent {
  const { id, amount, currency } = dispute
  const posting = {
    type: 'adjustment',
    source: id,
    amount: -amount,
    fee: books.disputeFeeOf(currency),
    currency,
  } as const
  dispute.balance_transactions.push(books.move(posting, intent))
  return books.event('charge.dispute.funds_withdrawn', dispute)
}

function closed(): BankRefusal {
  return new BankRefusal('dispute_already_closed')
}
