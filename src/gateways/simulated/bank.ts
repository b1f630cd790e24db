import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import { type Books, openBooks, type Posting } from './books.ts'
import {
  closeDispute,
  closeInquiry,
  type DisputeInput,
  escalateDispute,
  openDispute,
  respondToDispute,
} from './disputes.ts'
import { createFolders, type Folder } from './folders.ts'
import {
  cancelIntent,
  captureIntent,
  completeChallenge,
  createIntent,
  failChallenge,
  type IntentInput,
} from './intents.ts'
import {
  type BalanceTransaction,
  BankRefusal,
  type Charge,
  type Dispute,
  type Done,
  type Intent,
  type Metadata,
  type Payout,
  type Refund,
} from './objects.ts'
import { failRefund, makeRefund } from './refunds.ts'
import { openSettlement, type Settlement } from './settlement.ts'

export type { DisputeInput } from './disputes.ts'
export type { IntentInput } from './intents.ts'
export { BankRefusal, type Done } from './objects.ts'

/** How much is remembered, so that a gateway that runs for weeks or takes a bench's load does not fill the memory. */
export type Limits = {
  /** Payments, the most recently used ones, with their refunds and disputes. */
  readonly payments: number
  /** Lines of settlement files; what is over becomes one line, `carried_forward`. */
  readonly settlementLines: number
}

const limitsDefault: Limits = { payments: 50_000, settlementLines: 100_000 }

/** The money side of the simulated gateway: objects, states, events. No network, no waiting. */
export type Bank = {
  /** See `Books.under`. */
  readonly under: Books['under']
  createIntent(input: IntentInput): Done<Intent>
  completeChallenge(intent: string): Done<Intent>
  failChallenge(intent: string): Done<Intent>
  captureIntent(id: string, amount?: number): Done<Intent>
  cancelIntent(id: string): Done<Intent>
  refund(charge: string, amount?: number, metadata?: Metadata): Done<Refund>
  failRefund(refund: string, reason?: string): Done<Refund>
  dispute(charge: string, input?: number | DisputeInput): Done<Dispute>
  escalateDispute(id: string): Done<Dispute>
  respondToDispute(id: string): Done<Dispute>
  closeDispute(id: string, outcome: 'won' | 'lost'): Done<Dispute>
  closeInquiry(id: string): Done<Dispute>
  /** What becomes of a dispute that is due now and was not responded to; undefined where it was, or is not known any more. */
  expireDispute(id: string): Done<Dispute> | undefined
  /** Sends everything of a currency to the bank account; undefined where there is nothing to send. */
  payout(currency: string): Done<Payout> | undefined
  intent(id: string): Intent | undefined
  intentsOf(reference: string): Intent[]
  /** Everything under a reference: intents with their charges, refunds, disputes. */
  objectsOf(reference: string): (Intent | Refund | Dispute)[]
  charge(id: string): Charge | undefined
  /** Everything of the payment that has this object, or this reference. */
  folder(of: string): Folder | undefined
  readonly settlement: Omit<Settlement, 'add' | 'settle'>
}

/** What operations on objects need: names, events, and a balance in which money moves. */
export type Bookkeeping = Books & {
  move(posting: Posting, of: Intent): BalanceTransaction
  /** Where the payer of an intent proves who they are. */
  challengeUrl(intent: string): string
}

type BankOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly feeBasisPoints: number
  readonly limits?: Partial<Limits> | undefined
  readonly challengeUrl?: Bookkeeping['challengeUrl']
}

export function createBank(options: BankOptions): Bank {
  const limits = { ...limitsDefault, ...options.limits }
  const folders = createFolders(options.clock, limits.payments)
  const settlement = openSettlement(limits.settlementLines)
  const opened = openBooks(options)
  const books: Bookkeeping = {
    ...opened,
    challengeUrl: options.challengeUrl ?? ((intent) => `/3ds/${intent}`),
    move(posting, { metadata }) {
      const transaction = opened.transaction(posting)
      settlement.add({ transaction, payment: metadata.millrace_payment ?? '' })
      return transaction
    },
  }

  const folderWith = (id: string, isMeant: (folder: Folder) => boolean): Folder | undefined => {
    const folder = folders.of(id)
    return folder !== undefined && isMeant(folder) ? folder : undefined
  }
  const onFolder = <Thing>(id: string, work: (folder: Folder) => Done<Thing>): Done<Thing> => {
    const folder = known(folders.of(id))
    const done = work(folder)
    folders.file(folder)
    return done
  }
  const onIntent = (id: string, work: (intent: Intent) => Done<Intent>): Done<Intent> =>
    onFolder(id, ({ intent }) => work(known(intent.id === id ? intent : undefined)))
  const onCharge = <Thing>(id: string, work: (folder: Folder) => Done<Thing>): Done<Thing> =>
    onFolder(id, (folder) => work(known(folder.intent.latest_charge?.id === id ? folder : undefined)))
  const onRefund = (id: string, work: (refund: Refund, folder: Folder) => Done<Refund>): Done<Refund> =>
    onFolder(id, (folder) => work(known(folder.refunds.find((refund) => refund.id === id)), folder))
  const onDispute = (id: string, work: (dispute: Dispute, folder: Folder) => Done<Dispute>): Done<Dispute> =>
    onFolder(id, (folder) => work(known(folder.disputes.find((dispute) => dispute.id === id)), folder))

  return {
    under: books.under,
    createIntent(input) {
      const done = createIntent(input, books)
      folders.file({ intent: done.object, refunds: [], disputes: [] })
      return done
    },
    completeChallenge: (id) => onIntent(id, (intent) => completeChallenge(intent, books)),
    failChallenge: (id) => onIntent(id, (intent) => failChallenge(intent, books)),
    captureIntent: (id, amount) => onIntent(id, (intent) => captureIntent(intent, amount, books)),
    cancelIntent: (id) => onIntent(id, (intent) => cancelIntent(intent, books)),
    refund: (id, amount, metadata = {}) => onCharge(id, (folder) => makeRefund(folder, { amount, metadata }, books)),
    failRefund: (id, reason = 'expired_or_canceled_card') =>
      onRefund(id, (refund, folder) => failRefund(folder, refund, reason, books)),
    dispute(id, input = {}) {
      const about = typeof input === 'number' ? { amount: input } : input
      return onCharge(id, (folder) => openDispute(folder, about, books))
    },
    escalateDispute: (id) => onDispute(id, (dispute, folder) => escalateDispute(folder, dispute, books)),
    respondToDispute: (id) => onDispute(id, (dispute) => respondToDispute(dispute, books)),
    closeDispute: (id, outcome) => onDispute(id, (dispute, folder) => closeDispute(folder, dispute, outcome, books)),
    closeInquiry: (id) => onDispute(id, (dispute) => closeInquiry(dispute, books)),
    expireDispute(id) {
      const folder = folders.of(id)
      const dispute = folder?.disputes.find((candidate) => candidate.id === id)
      if (folder === undefined || dispute === undefined) return undefined
      if (dispute.status === 'needs_response') return closeDispute(folder, dispute, 'lost', books)
      return dispute.status === 'warning_needs_response' ? closeInquiry(dispute, books) : undefined
    },
    payout: (currency) => payout(currency, books, settlement),
    intent: (id) => folderWith(id, ({ intent }) => intent.id === id)?.intent,
    intentsOf: (reference) => folders.under(reference).map(({ intent }) => intent),
    objectsOf: (reference) =>
      folders.under(reference).flatMap(({ intent, refunds, disputes }) => [intent, ...refunds, ...disputes]),
    charge: (id) => folderWith(id, ({ intent }) => intent.latest_charge?.id === id)?.intent.latest_charge ?? undefined,
    folder: (of) => folders.of(of) ?? folders.under(of).at(-1),
    settlement,
  }
}

function known<Thing>(found: Thing | undefined): Thing {
  if (found === undefined) throw new BankRefusal('resource_missing', { message: 'The gateway has no such object.' })
  return found
}

/** At once: what a real payout takes two days for. */
function payout(currency: string, books: Books, settlement: Settlement): Done<Payout> | undefined {
  const amount = settlement.balance(currency)
  if (amount <= 0) return undefined
  const about = books.about('po', amount, currency)
  const object: Payout = { ...about, object: 'payout', arrival_date: about.created, status: 'pending' }
  const events = [books.event('payout.created', object)]
  object.status = 'paid'
  settlement.settle(object)
  return { object, events: [...events, books.event('payout.paid', object)] }
}
