import { capturedOf, type Lineage, lineagesOf, phaseOf, sumByCurrency } from './lineage.ts'
import { refundMovements } from './movement.ts'
import { openAuthorizations } from './operation.ts'
import type { DisputeState, PaymentState } from './state.ts'
import { current } from './tracked.ts'

export type PaymentStatus =
  | 'pending'
  | 'authorized'
  | 'captured'
  | 'partially_refunded'
  | 'refunded'
  | 'disputed'
  | 'rejected'
  | 'failed'
  | 'canceled'
  | 'expired'
  | 'unknown'

/**
 * The payment's status: the first line that holds.
 *
 * | status             | holds when                                                                  |
 * |--------------------|-----------------------------------------------------------------------------|
 * | disputed           | a dispute is open or lost, or keeps money; an inquiry alone is none         |
 * | refunded           | all that was captured was refunded                                          |
 * | partially_refunded | something was refunded, be its capture reported or not                      |
 * | captured           | money was taken; however late: after expired, canceled or failed it is real |
 * | authorized         | a hold is in place                                                          |
 * | pending            | a charge is under way at a gateway                                          |
 * | rejected           | the risk rules refused it                                                   |
 * | unknown            | an authorization may have taken place, and no report says what came of it   |
 * | pending            | an authorization is out                                                     |
 * | canceled           | an attempt was canceled, its hold released                                  |
 * | failed             | an attempt failed or was declined                                           |
 * | expired            | its time was up before it was executed                                      |
 * | failed             | an authorization was refused                                                |
 * | pending            | otherwise                                                                   |
 */
export function statusOf(state: PaymentState): PaymentStatus {
  const lineages = lineagesOf(state)
  return statusOfMoney(state, lineages) ?? statusOfAttempts(state, lineages)
}

function statusOfMoney(state: PaymentState, lineages: readonly Lineage[]): PaymentStatus | undefined {
  if (Object.values(state.objects.disputes).some(isDisputed)) return 'disputed'

  const refunds = refundMovements(state, lineages)
  if (refunds.length > 0) return isRefundedWhole(refunds, lineages) ? 'refunded' : 'partially_refunded'
  return lineages.some((lineage) => phaseOf(lineage) === 'captured') ? 'captured' : undefined
}

function statusOfAttempts(state: PaymentState, lineages: readonly Lineage[]): PaymentStatus {
  const phases = new Set(lineages.map(phaseOf))
  const open = openAuthorizations(state, lineages)
  const authorizations = Object.values(state.operations).filter(({ request }) => request === null)
  const ended = authorizations.flatMap(({ outcomes }) => outcomes)

  if (phases.has('authorized')) return 'authorized'
  if (phases.has('processing')) return 'pending'
  if (state.rejected) return 'rejected'
  if (open.some((id) => state.operations[id]?.unknownSince !== null)) return 'unknown'
  if (open.length > 0) return 'pending'
  if (phases.has('canceled')) return 'canceled'
  if (phases.has('failed') || ended.includes('declined')) return 'failed'
  // Before `refused`: a call whose time was up is one that was never sent.
  if (state.expired) return 'expired'
  return ended.includes('refused') ? 'failed' : 'pending'
}

/** Whether a dispute keeps money, or may. */
export function isDisputed(dispute: DisputeState): boolean {
  if (dispute.reinstated) return false
  const status = current(dispute)
  if (status === 'won') return false
  return dispute.withdrawn || status === 'needs_response' || status === 'under_review' || status === 'lost'
}

function isRefundedWhole(
  refunds: readonly { amount: number; currency: string }[],
  lineages: readonly Lineage[],
): boolean {
  const captured = sumByCurrency(lineages.flatMap((lineage) => [...capturedOf(lineage)]))
  const returned = sumByCurrency(refunds.map(({ currency, amount }) => [currency, amount]))
  return captured.size > 0 && [...captured].every(([currency, amount]) => (returned.get(currency) ?? 0) >= amount)
}
