import { capturedOf, type Lineage, lineagesOf, phaseOf, unidentifiedOf } from './lineage.ts'
import type { DisputeState, Movement, MovementKind, PaymentState, RefundState } from './state.ts'
import { currencyOf, current, type Tracked } from './tracked.ts'

/**
 * What the books must show for all that is known: a function of the joined state alone, so the order
 * in which it became known does not matter.
 * - capture: one per attempt, keyed by its intent (or charge without one), so that money known by the
 *   intent first is not booked again when its charge reports.
 * - refund: one per refund; a rest that only the charge's total shows has the key
 *   `refund/<account>/<intent or charge>:unidentified/…` and shrinks as its parts are named.
 * - dispute: money withdrawn; then `dispute_reinstated` or `dispute_lost`, never both.
 */
export function movementsOf(state: PaymentState): Movement[] {
  const lineages = lineagesOf(state)
  const { fees, disputes } = state.objects
  return [
    ...lineages.flatMap(captures),
    ...Object.values(fees).map((fee) => whole('fee', fee)),
    ...refundMovements(state, lineages),
    ...Object.values(disputes).flatMap(disputeMovements),
  ].filter(({ amount }) => amount > 0)
}

/** The refunds among the payment's movements, given its attempts. */
export function refundMovements(state: PaymentState, lineages: readonly Lineage[]): Movement[] {
  const identified = Object.values(state.objects.refunds).filter((refund) => takesMoney(refund, lineages))
  return [...identified.map((refund) => whole('refund', refund)), ...lineages.flatMap(unidentifiedRefunds)].filter(
    ({ amount }) => amount > 0,
  )
}

export function movement(kind: MovementKind, about: Omit<Movement, 'key' | 'kind'>): Movement {
  return { key: `${kind}/${about.account}/${about.object}/${about.currency}`, kind, ...about }
}

function whole(kind: MovementKind, object: Tracked<string>): Movement {
  const { account, id, amount } = object
  return movement(kind, { object: id, account, amount, currency: currencyOf(object) })
}

function captures(lineage: Lineage): Movement[] {
  const { account, root } = lineage
  return [...capturedOf(lineage)].map(([currency, amount]) =>
    movement('capture', { object: root, account, amount, currency }),
  )
}

function unidentifiedRefunds(lineage: Lineage): Movement[] {
  const { account, root } = lineage
  return [...unidentifiedOf(lineage)].map(([currency, amount]) =>
    movement('refund', { object: `${root}:unidentified`, account, amount, currency }),
  )
}

/**
 * A refund takes its money when it is made, pending ones included: the charge's total counts it from
 * then on, and waiting for `succeeded` would book the same money as unidentified, take it back and
 * book it again. Failed or canceled, it is given back. A "refund" of a hold that was never captured
 * releases the hold and moves nothing.
 */
function takesMoney(refund: RefundState, lineages: readonly Lineage[]): boolean {
  const status = current(refund)
  if (status === 'failed' || status === 'canceled') return false
  const released = lineages.some((lineage) => lineage.refunds.includes(refund) && phaseOf(lineage) === 'canceled')
  return !released
}

/** Money given back was withdrawn before, whether or not that has been reported yet. */
function disputeMovements(dispute: DisputeState): Movement[] {
  if (!dispute.withdrawn && !dispute.reinstated) return []
  const withdrawn = whole('dispute', dispute)
  if (dispute.reinstated) return [withdrawn, whole('dispute_reinstated', dispute)]
  return current(dispute) === 'lost' ? [withdrawn, whole('dispute_lost', dispute)] : [withdrawn]
}
