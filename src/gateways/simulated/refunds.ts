import type { Bookkeeping } from './bank.ts'
import type { Folder } from './folders.ts'
import { BankRefusal, type Charge, type Done, type Metadata, type Refund } from './objects.ts'

export function makeRefund(
  { intent, refunds }: Folder,
  { amount, metadata }: { amount: number | undefined; metadata: Metadata },
  books: Bookkeeping,
): Done<Refund> {
  const charge = intent.latest_charge
  const left = charge?.captured ? charge.amount - charge.amount_refunded : 0
  const given = amount ?? left
  if (charge === null || left === 0) throw new BankRefusal('charge_already_refunded')
  if (given < 1 || given > left) throw new BankRefusal('amount_too_large')
  setRefunded(charge, charge.amount_refunded + given)
  const { currency } = charge
  const about = books.about('re', given, currency)
  const refund: Refund = {
    ...about,
    object: 'refund',
    balance_transaction: books.move({ type: 'refund', source: about.id, amount: -given, fee: 0, currency }, intent),
    charge: charge.id,
    failure_balance_transaction: null,
    failure_reason: null,
    metadata,
    payment_intent: intent.id,
    status: 'succeeded',
  }
  refunds.push(refund)
  return { object: refund, events: [books.event('refund.created', refund), books.event('charge.refunded', charge)] }
}

/** The payer's bank sent the money back, days after the refund was made: we have it again. */
export function failRefund({ intent }: Folder, refund: Refund, reason: string, books: Bookkeeping): Done<Refund> {
  if (refund.status === 'failed' || intent.latest_charge === null) throw new BankRefusal('refund_already_failed')
  const { id, amount, currency } = refund
  refund.status = 'failed'
  refund.failure_reason = reason
  const posting = { type: 'refund_failure', source: id, amount, fee: 0, currency } as const
  refund.failure_balance_transaction = books.move(posting, intent)
  setRefunded(intent.latest_charge, intent.latest_charge.amount_refunded - amount)
  return { object: refund, events: [books.event('refund.failed', refund)] }
}

function setRefunded(charge: Charge, amount: number): void {
  charge.amount_refunded = amount
  charge.refunded = amount === charge.amount
}
