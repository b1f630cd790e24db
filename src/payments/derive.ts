import { capturedOf, type Lineage, lineagesOf, phaseOf, sumByCurrency } from './lineage.ts'
import { refundMovements } from './movement.ts'
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
 * | unknown            | a call may have taken place, and no report says what became of it           |
 * | pending            | a call is out                                                               |
 * | canceled           | an attempt was canceled, its hold released                                  |
 * | failed             | an attempt failed or was declined                                           |
 * | expired            | its time was up before it was executed                                      |
 * | failed             | a call was refused                                                          |
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
  const open = openOperations(state, lineages)
  const ended = Object.values(state.operations).flatMap(({ outcomes }) => outcomes)

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

/** Ids of the operations a gateway has to be asked about: they may have taken place, and nobody has said. */
export function unknownOperations(state: PaymentState): string[] {
  return openOperations(state, lineagesOf(state)).filter((id) => state.operations[id]?.unknownSince !== null)
}

/**
 * Operations that nothing accounts for. Reports do not name the operation they come from, so they are
 * counted: with as many attempts decided at a gateway account as operations went to it, none is open.
 */
function openOperations(state: PaymentState, lineages: readonly Lineage[]): string[] {
  const operations = Object.entries(state.operations)
  return operations
    .filter(([, { account, outcomes }]) => {
      const decided = lineages.filter((lineage) => lineage.account === account && phaseOf(lineage) !== 'open').length
      const sent = operations.filter(([, other]) => other.account === account && !other.outcomes.includes('refused'))
      return outcomes.length === 0 && decided < sent.length
    })
    .map(([id]) => id)
}

function isDisputed(dispute: DisputeState): boolean {
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
