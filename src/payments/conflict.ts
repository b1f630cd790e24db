import type { ObjectReport } from '#gateways/events'
import { join } from './join.ts'
import { exclusive } from './ranks.ts'
import { type ObjectKey, objectKey, type PaymentState } from './state.ts'
import { seenBy, type Tracked } from './tracked.ts'

/** An object of which a gateway has said things that cannot all be true. */
export type Conflict = {
  readonly kind: 'intent' | 'charge' | 'refund' | 'dispute'
  readonly account: string
  readonly object: string
  /** The statuses, or currencies, that exclude each other. */
  readonly between: readonly string[]
  /** The gateway has been asked since, and its answer covers all that was seen. */
  readonly isSettled: boolean
}

/** Every contradiction there is, those the gateway has settled included. */
export function conflictsOf(state: PaymentState): Conflict[] {
  const { intents, charges, refunds, disputes } = state.objects
  return [
    ...Object.values(intents).flatMap((intent) => conflictIn('intent', intent)),
    ...Object.values(charges).flatMap((charge) => conflictIn('charge', charge)),
    ...Object.values(refunds).flatMap((refund) => conflictIn('refund', refund)),
    ...Object.values(disputes).flatMap((dispute) => conflictIn('dispute', dispute)),
  ]
}

/** True while a contradiction is there that the gateway has not been asked about. */
export function needsFetch(state: PaymentState): boolean {
  return conflictsOf(state).some(({ isSettled }) => !isSettled)
}

/**
 * Joins what a gateway answered to a fetch, made after all that `state` holds: where reports
 * contradict each other this answer decides, until something not yet seen comes in. Without a
 * contradiction it is a plain join, so it does not matter whether a fetch or a webhook came first.
 */
export function joinFetched(state: PaymentState, account: string, reports: readonly ObjectReport[]): PaymentState {
  return reports.reduce((settled, report) => settle(settled, account, report), join(state, account, reports))
}

function settle(state: PaymentState, account: string, report: ObjectReport): PaymentState {
  const key = objectKey(account, report.id)
  const { objects } = state
  switch (report.kind) {
    case 'intent':
      return { ...state, objects: { ...objects, intents: judge('intent', objects.intents, key, report.status) } }
    case 'charge':
      return { ...state, objects: { ...objects, charges: judge('charge', objects.charges, key, report.status) } }
    case 'refund':
      return { ...state, objects: { ...objects, refunds: judge('refund', objects.refunds, key, report.status) } }
    case 'dispute':
      return { ...state, objects: { ...objects, disputes: judge('dispute', objects.disputes, key, report.status) } }
    default:
      return state
  }
}

function judge<Status extends string, State extends Tracked<Status>>(
  kind: Conflict['kind'],
  known: Readonly<Record<ObjectKey, State>>,
  key: ObjectKey,
  status: Status,
): Readonly<Record<ObjectKey, State>> {
  const object = known[key]
  if (object === undefined || conflictIn(kind, object).length === 0) return known
  return { ...known, [key]: { ...object, verdict: { seen: seenBy(object), status } } }
}

function conflictIn(kind: Conflict['kind'], object: Tracked<string>): Conflict[] {
  const statuses = exclusive[kind]
    .map((group) => object.statuses.filter((status) => group.some((member) => member === status)))
    .filter((seen) => seen.length > 1)
  const currencies = object.currencies.length > 1 ? [object.currencies] : []
  const isSettled = object.verdict?.seen === seenBy(object)
  const { account, id } = object
  return [...statuses, ...currencies].map((between) => ({ kind, account, object: id, between, isSettled }))
}
