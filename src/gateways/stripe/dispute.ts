import type { ReportOf } from '#gateways/events'
import { readAmount } from './currency.ts'
import { mapTransactionFee } from './fee.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { integerAt, type JsonObject, listAt, objectAt, textAt, valueAt } from './json.ts'
import { joinParents, parentsOf } from './parents.ts'
import { codeAt, idAt, safeId } from './safe.ts'

type Status = ReportOf<'dispute'>['status']

const statuses: ReadonlyMap<string, Status> = new Map([
  ['warning_needs_response', 'inquiry'],
  ['warning_under_review', 'inquiry'],
  ['warning_closed', 'closed'],
  ['needs_response', 'needs_response'],
  ['appeal_needs_response', 'needs_response'],
  ['under_review', 'under_review'],
  ['appeal_under_review', 'under_review'],
  ['won', 'won'],
  ['lost', 'lost'],
  ['charge_refunded', 'closed'],
  ['prevented', 'closed'],
])

/** A dispute and the fees of its balance transactions. */
export function mapDispute(dispute: JsonObject, about: About): Finding[] {
  const { charge, intent } = parentsOf(dispute, about.digest)
  const parents = joinParents([charge, intent], about.parents)
  const id = disputeId(dispute, parents, about)
  if (id === undefined) return [dropped('dispute', 'id_missing')]
  const fees = transactionsOf(dispute).flatMap((transaction) =>
    mapTransactionFee(transaction, { ...about, parents: [id, ...parents] }),
  )
  return [mapItself(dispute, { id, parents, eventType: about.eventType }), ...fees]
}

/** Early disputes had no id: there was one at most for a charge, so the charge names it. */
export function disputeId(dispute: JsonObject, parents: readonly string[], { digest }: Pick<About, 'digest'>) {
  const [charge] = parents
  return idAt(dispute, 'id', digest) ?? (charge === undefined ? undefined : safeId(`dispute of ${charge}`, digest))
}

function mapItself(dispute: JsonObject, of: { id: string; parents: string[]; eventType: string }): Finding {
  const amount = readAmount(dispute, 'amount')
  if (typeof amount === 'string') return dropped('dispute', amount)
  const money = moneyOf(dispute, of.eventType)
  const word = textAt(dispute, 'status') ?? ''
  // A word we do not know yet must not hide that money moved: the least that fits is taken for it.
  const status = statuses.get(word) ?? (money.withdrawn ? 'needs_response' : 'inquiry')
  const reason = codeAt(dispute, 'reason')
  const { id, parents } = of
  return found({
    kind: 'dispute',
    id,
    parents,
    ...amount,
    status,
    ...money,
    ...(reason === undefined ? {} : { reason }),
  })
}

/**
 * Where the disputed money is. Stripe takes it when a formal dispute opens, never for an inquiry, and
 * not from a charge that was refunded in full before (docs.stripe.com/disputes/how-disputes-work); each
 * move has an event of its own and an entry in `balance_transactions`. So:
 * - withdrawn: the event says so, or a balance transaction took money. Where the version of the API has
 *   no such list, a dispute that is or was formal, unless its charge may still be refunded.
 * - reinstated: the event says so, or a balance transaction gave money, or the dispute is won.
 * - reinstated implies withdrawn: what comes back was taken, and both together come to nothing.
 */
function moneyOf(dispute: JsonObject, eventType: string): { withdrawn: boolean; reinstated: boolean } {
  const amounts = transactionsOf(dispute).map((transaction) => integerAt(transaction, 'amount') ?? 0)
  const reinstated =
    eventType === 'charge.dispute.funds_reinstated' ||
    amounts.some((amount) => amount > 0) ||
    textAt(dispute, 'status') === 'won'
  const withdrawn =
    reinstated ||
    eventType === 'charge.dispute.funds_withdrawn' ||
    amounts.some((amount) => amount < 0) ||
    (!Array.isArray(valueAt(dispute, 'balance_transactions')) && wasFormal(dispute))
  return { withdrawn, reinstated }
}

function wasFormal(dispute: JsonObject): boolean {
  const formal = ['needs_response', 'under_review', 'lost']
  return formal.includes(textAt(dispute, 'status') ?? '') && valueAt(dispute, 'is_charge_refundable') !== true
}

/** Now a list; one expanded object in the versions before it. */
function transactionsOf(dispute: JsonObject): JsonObject[] {
  const single = objectAt(dispute, 'balance_transaction')
  const list = listAt(dispute, 'balance_transactions')
  return list.length === 0 && single !== undefined ? [single] : list
}
