import { capturedOf, type Lineage, lineagesOf, phaseOf } from './lineage.ts'
import type { Operation, OperationRequest, PaymentState, RefundReason, RefundState } from './state.ts'
import { current } from './tracked.ts'

/**
 * `pending`: asked for, or under way at the gateway; `unknown`: it may have taken place, and the gateway is being
 * asked; `failed`: the gateway tried, and it did not come about; `refused`: it surely was not even tried.
 */
export type OperationStatus = 'pending' | 'succeeded' | 'failed' | 'unknown' | 'refused'

/** An operation as it stands, read off what is known like a payment's status. */
export type OperationView = {
  readonly id: string
  readonly call: 'authorize' | OperationRequest['call']
  /** `none` where there was no account to send it to. */
  readonly account: string
  /** Minor units of `currency`. */
  readonly amount: number | null
  readonly currency: string | null
  readonly reason: RefundReason | null
  readonly status: OperationStatus
  /** Why it failed or was refused. */
  readonly code: string | null
  /** Null for the authorization: it was asked for with the payment. */
  readonly requestedAt: number | null
  readonly fingerprint: string | null
}

type Standing = { readonly status: OperationStatus; readonly code?: string | undefined }

/** The payment's operations, in the order in which they became known. */
export function operationsOf(state: PaymentState): OperationView[] {
  const operations = Object.entries(state.operations)
  if (operations.length === 0) return []
  const lineages = lineagesOf(state)
  return operations.map(([id, operation]) => {
    const { account, request } = operation
    const { status, code = operation.codes.at(-1) } = standingOf(state, lineages, id, operation)
    const { amount, currency } = request ?? state.request ?? { amount: null, currency: null }
    const isExplained = status === 'failed' || status === 'refused'
    return {
      id,
      call: request?.call ?? 'authorize',
      account,
      amount,
      currency,
      reason: request?.reason ?? null,
      status,
      code: isExplained ? (code ?? null) : null,
      requestedAt: request?.at ?? null,
      fingerprint: request?.fingerprint ?? null,
    }
  })
}

/** Ids of the operations a gateway has to be asked about: they may have taken place, and nobody has said. */
export function unknownOperations(state: PaymentState): string[] {
  const doubtful = Object.entries(state.operations).filter(
    ([, { unknownSince, outcomes }]) => unknownSince !== null && outcomes.length === 0,
  )
  if (doubtful.length === 0) return []
  const lineages = lineagesOf(state)
  return doubtful
    .filter(([id, operation]) => standingOf(state, lineages, id, operation).status === 'unknown')
    .map(([id]) => id)
}

/**
 * Authorizations that nothing accounts for. Reports do not name the one they come from, so they are counted: with
 * as many attempts decided at a gateway account as authorizations went to it, none is open.
 */
export function openAuthorizations(state: PaymentState, lineages: readonly Lineage[]): string[] {
  const authorizations = Object.entries(state.operations).filter(([, { request }]) => request === null)
  return authorizations
    .filter(([, { account, outcomes }]) => {
      const decided = lineages.filter((lineage) => lineage.account === account && phaseOf(lineage) !== 'open').length
      const sent = authorizations.filter(
        ([, other]) => other.account === account && !other.outcomes.includes('refused'),
      )
      return outcomes.length === 0 && decided < sent.length
    })
    .map(([id]) => id)
}

/**
 * What refunds that are under way may still take from the charges of an attempt, in minor units of a currency. One
 * counts until the gateway has named it, or has surely not made it.
 */
export function reservedFor(state: PaymentState, { account, charges, refunds }: Lineage, wanted: string): number {
  return Object.entries(state.operations)
    .filter(([id, { account: at, request, outcomes }]) => {
      if (request?.call !== 'refund' || at !== account || request.currency !== wanted) return false
      const isNamed = refunds.some(({ operations }) => operations.includes(id))
      const isOver = outcomes.length > 0 && !outcomes.includes('answered')
      return !isNamed && !isOver && charges.some((charge) => charge.id === request.object)
    })
    .reduce((sum, [, { request }]) => sum + (request?.amount ?? 0), 0)
}

function standingOf(state: PaymentState, lineages: readonly Lineage[], id: string, operation: Operation): Standing {
  const { request } = operation
  if (request === null) return ofAuthorization(state, lineages, id, operation)
  return request.call === 'refund'
    ? ofRefund(Object.values(state.objects.refunds), id, operation)
    : ofHold(lineages, operation, request)
}

function ofAuthorization(
  state: PaymentState,
  lineages: readonly Lineage[],
  id: string,
  operation: Operation,
): Standing {
  const said = saidOf(operation)
  if (said === 'failed' || said === 'refused') return { status: said }
  const own = lineages.filter(({ account }) => account === operation.account)
  if (said === undefined && openAuthorizations(state, lineages).includes(id)) return { status: doubtOf(operation) }
  if (own.some(wasHeld)) return { status: 'succeeded' }
  // Answered, and still to be decided: by the bank, or by the customer who has to confirm it.
  const isUnderWay = own.some((lineage) => ['open', 'processing'].includes(phaseOf(lineage)))
  return { status: isUnderWay || own.length === 0 ? 'pending' : 'failed' }
}

function wasHeld({ intent, charges, ...lineage }: Lineage): boolean {
  return (
    phaseOf({ intent, charges, ...lineage }) === 'captured' ||
    intent?.statuses.includes('requires_capture') === true ||
    charges.some(({ statuses }) => statuses.includes('authorized') || statuses.includes('voided'))
  )
}

/** A capture or cancellation. A gateway's report does not name it; but a hold is captured or let go only once. */
function ofHold(lineages: readonly Lineage[], operation: Operation, request: OperationRequest): Standing {
  const said = saidOf(operation)
  if (said !== undefined) return { status: said }
  const lineage = lineages.find(({ account, root }) => account === operation.account && root === request.object)
  const phase = lineage && phaseOf(lineage)
  if (lineage === undefined || (phase !== 'captured' && phase !== 'canceled')) return { status: doubtOf(operation) }
  if (request.call === 'cancel') {
    return phase === 'canceled' ? { status: 'succeeded' } : { status: 'failed', code: 'captured_first' }
  }
  if (phase === 'canceled') return { status: 'failed', code: 'canceled_first' }
  const isOurs = capturedOf(lineage).get(request.currency ?? '') === request.amount
  return isOurs ? { status: 'succeeded' } : { status: 'failed', code: 'captured_first' }
}

/** The gateway's own word on the refund that names it comes before what it answered at the time. */
function ofRefund(refunds: readonly RefundState[], id: string, operation: Operation): Standing {
  const [refund] = refunds.filter(({ account, operations }) => account === operation.account && operations.includes(id))
  switch (refund && current(refund)) {
    case 'pending':
      return { status: 'pending' }
    case 'succeeded':
      return { status: 'succeeded' }
    case 'failed':
    case 'canceled':
      return { status: 'failed', code: refund?.failures.at(-1) ?? 'refund_failed' }
    default:
      return { status: saidOf(operation) ?? doubtOf(operation) }
  }
}

function saidOf({ outcomes }: Operation): 'succeeded' | 'failed' | 'refused' | undefined {
  if (outcomes.includes('answered')) return 'succeeded'
  if (outcomes.includes('declined')) return 'failed'
  return outcomes.includes('refused') ? 'refused' : undefined
}

function doubtOf({ unknownSince }: Operation): 'unknown' | 'pending' {
  return unknownSince === null ? 'pending' : 'unknown'
}
