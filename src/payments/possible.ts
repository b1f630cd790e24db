import { invariant } from '#kernel/invariant'
import { isDisputed } from './derive.ts'
import { capturedOf, type Lineage, lineagesOf, phaseOf, unidentifiedOf } from './lineage.ts'
import { operationsOf, reservedFor } from './operation.ts'
import { type RefundSplitFault, refundSplitFault } from './split.ts'
import type { OperationRequest, PaymentState, Split } from './state.ts'
import { currencyOf, current } from './tracked.ts'

/** What somebody wants done with a payment. Without an amount: all there is. */
export type Wish = {
  readonly call: OperationRequest['call']
  readonly amount: number | undefined
  /** Of a refund: who gives how much of it. */
  readonly splits?: readonly Split[] | undefined
}

/** Why an operation cannot be done; the code of the fact that says so. */
export type Impossible =
  | 'not_capturable'
  | 'not_cancelable'
  | 'not_refundable'
  | 'operation_under_way'
  | 'refund_under_way'
  | 'amount_too_large'
  | 'gateway_not_callable'
  | 'too_many_operations'
  | RefundSplitFault

export type Possibility =
  | {
      readonly isPossible: true
      readonly account: string
      /** The gateway's intent, or charge for a refund. */
      readonly object: string
      readonly amount: number
      readonly currency: string
    }
  /** `left`: how much could have been asked for, where the amount was too large. */
  | { readonly isPossible: false; readonly code: Impossible; readonly left?: number }

/** A payment is refunded in a few parts; its state is one row, read and written whole. */
const OPERATIONS_MAX = 200

/**
 * Whether an operation can be done as things are known now, and on what. The door asks to refuse early, the decider
 * to have the last word. What is under way counts as done: money is never promised twice.
 */
export function possibilityOf(state: PaymentState, wish: Wish, isCallable: (account: string) => boolean): Possibility {
  if (Object.keys(state.operations).length >= OPERATIONS_MAX) return impossible('too_many_operations')
  const lineages = lineagesOf(state)
  return wish.call === 'refund' ? refund(state, lineages, wish, isCallable) : hold(state, lineages, wish, isCallable)
}

/** Captures take a hold, cancellations let it go, or what has not come to a hold yet. Each only once. */
function hold(
  state: PaymentState,
  lineages: readonly Lineage[],
  { call, amount }: Wish,
  isCallable: (account: string) => boolean,
): Possibility {
  const isCapture = call === 'capture'
  const phases: readonly string[] = isCapture ? ['authorized'] : ['authorized', 'open']
  const lineage = lineages.find((one) => hasIntent(one) && phases.includes(phaseOf(one)))
  if (!lineage) return impossible(isCapture ? 'not_capturable' : 'not_cancelable')
  const { account, root: object } = lineage
  if (isUnderWay(state, lineage)) return impossible('operation_under_way')
  const { held, currency } = heldBy(lineage)
  if (amount !== undefined && amount > held) return { ...impossible('amount_too_large'), left: held }
  if (!isCallable(account)) return impossible('gateway_not_callable')
  return { isPossible: true, account, object, amount: amount ?? held, currency }
}

function refund(
  state: PaymentState,
  lineages: readonly Lineage[],
  { amount, splits = [] }: Wish,
  isCallable: (account: string) => boolean,
): Possibility {
  const sources = lineages.flatMap((lineage) => sourcesIn(state, lineage))
  const [most] = sources.sort((one, other) => other.left - one.left)
  if (!most || (most.left + most.doubted <= 0 && amount === undefined)) return impossible('not_refundable')
  const { left, doubted, account, object, currency } = most
  if (left < (amount ?? 1) && left + doubted >= (amount ?? 1)) return impossible('refund_under_way')
  if (left <= 0 || (amount !== undefined && amount > left)) {
    return { ...impossible('amount_too_large'), left: Math.max(0, left) }
  }
  if (!isCallable(account)) return impossible('gateway_not_callable')
  const fault = refundSplitFault(state, splits, amount ?? left)
  return fault ? impossible(fault) : { isPossible: true, account, object, amount: amount ?? left, currency }
}

/**
 * The charge of an attempt that took money, with what can still be given back of it: zero or less if nothing. `doubted`: what
 * the gateway has told of without naming it may be what is under way here, and is counted twice until it is named.
 */
function sourcesIn(state: PaymentState, lineage: Lineage) {
  const charge = lineage.charges.find((one) => current(one) === 'captured' && one.captured > 0)
  if (!charge || phaseOf(lineage) !== 'captured') return []
  const { account, id: object } = charge
  const currency = currencyOf(charge)
  const given = lineage.refunds
    .filter((one) => currencyOf(one) === currency && !['failed', 'canceled'].includes(current(one) ?? ''))
    .reduce((sum, { amount }) => sum + amount, 0)
  const members = [lineage.root, ...lineage.charges.map(({ id }) => id)]
  // Money in dispute is the bank's to give back: refunded as well, the customer would have it twice.
  const disputed = Object.values(state.objects.disputes)
    .filter((one) => one.account === account && isDisputed(one) && one.parents.some((id) => members.includes(id)))
    .reduce((sum, { amount }) => sum + amount, 0)
  const captured = capturedOf(lineage).get(currency) ?? 0
  const unidentified = unidentifiedOf(lineage).get(currency) ?? 0
  const reserved = reservedFor(state, lineage, currency)
  const left = captured - given - unidentified - disputed - reserved
  return [{ account, object, currency, left, doubted: Math.min(unidentified, reserved) }]
}

/** Another capture or cancellation of the same hold that is not known to have come to nothing. */
function isUnderWay(state: PaymentState, { account, root }: Lineage): boolean {
  return operationsOf(state).some(({ id, account: at, call, status }) => {
    const isOfHold = call === 'capture' || call === 'cancel'
    const isOpen = status !== 'failed' && status !== 'refused'
    return isOfHold && isOpen && at === account && state.operations[id]?.request?.object === root
  })
}

function heldBy({ intent, charges }: Lineage): { held: number; currency: string } {
  const holder = charges.find((one) => current(one) === 'authorized') ?? intent
  invariant(holder, 'what is held is held by a charge or an intent')
  return { held: holder.amount, currency: currencyOf(holder) }
}

/** What gateways capture and cancel are intents; old charges had none. */
function hasIntent({ intent, charges }: Lineage): boolean {
  return intent !== undefined || charges.some(({ parents }) => parents.length > 0)
}

function impossible(code: Impossible): { isPossible: false; code: Impossible } {
  return { isPossible: false, code }
}
