import { parseCurrency } from '#kernel/currency'
import { invariant } from '#kernel/invariant'
import { allocate, fromMinorNumber, money, toMinorNumber } from '#kernel/money'
import { book, type Change, changes } from './change.ts'
import {
  type Booked,
  type BookedMovement,
  type MovementKind,
  objectKey,
  type PaymentRequest,
  type PaymentState,
  type Split,
} from './state.ts'

/** What somebody other than the gateway gains or gives: what a payment's parties share. */
const sharedKinds: readonly MovementKind[] = ['capture', 'refund', 'dispute_lost']

/**
 * The changes with what each of the request's splits has of them. A capture is shared as the request says, until all that
 * was asked for is captured. What is given back is given by those who have it, in proportion to what they have left of the
 * payment; a correction undoes what was booked in the same proportion. Rounded by largest remainder, so that nobody
 * gives back more than they got, and what is given back whole leaves nobody a unit.
 */
export function withParts(state: PaymentState, changed: readonly Change[]): Change[] {
  const { request } = state
  if (!request?.splits) return [...changed]
  let { booked } = state
  return changed.map((change) => {
    const isShared = sharedKinds.includes(change.kind) && change.currency === request.currency
    const wished = isShared ? wishedOf(state, change) : undefined
    const shared = isShared ? { ...change, parts: partsOf(change, booked, request, wished).slice(0, -1) } : change
    booked = book(booked, [shared])
    return shared
  })
}

/** One for each split, and the last for the merchant; they come to the change. */
function partsOf(
  { key, kind, delta }: Change,
  booked: Booked,
  request: PaymentRequest,
  wished: readonly bigint[] | undefined,
): number[] {
  const amount = fromMinorNumber(delta)
  const past = booked[key]
  if (amount < 0n) {
    invariant(past, 'what is taken back was booked')
    return shared(amount, wholePartsOf(past, request), request)
  }
  const asked = askedOf(request)
  const left = kind === 'capture' ? toCapture(booked, request) : toGiveBack(booked, request)
  if (wished && (past?.amount ?? 0) === 0) {
    const given = wished.map((part, place) => least(part, at(left, place)))
    // What others can no longer give is the merchant's, who asked for it.
    if (sum(given) <= amount) return [...given, amount - sum(given)].map(toMinorNumber)
  }
  const within = least(amount, sum(left))
  const inside = shared(within, left, request)
  // More than was asked for, or known to be captured: a gateway has done it all the same.
  const beyond = shared(amount - within, asked, request)
  return inside.map((part, place) => part + (beyond[place] ?? 0))
}

/** What each may still have captured, and give back: never below nothing. */
function toCapture(booked: Booked, request: PaymentRequest): bigint[] {
  const captured = totalOf(booked, request, ['capture'])
  return askedOf(request).map((part, place) => atLeastNothing(part - at(captured, place)))
}

function toGiveBack(booked: Booked, request: PaymentRequest): bigint[] {
  const givenBack = totalOf(booked, request, ['refund', 'dispute_lost'])
  return totalOf(booked, request, ['capture']).map((part, place) => atLeastNothing(part - at(givenBack, place)))
}

/** What each of the request's splits is to give of a refund, where whoever asked for it has said so. */
function wishedOf({ request, operations, objects }: PaymentState, { kind, account, object }: Change) {
  const refund = kind === 'refund' ? objects.refunds[objectKey(account, object)] : undefined
  const wishes = refund?.operations.flatMap((id) => operations[id]?.request?.splits ?? []) ?? []
  const isSaid = refund?.operations.some((id) => operations[id]?.request?.splits !== undefined)
  if (!isSaid) return undefined
  return (request?.splits ?? []).map((split) => fromMinorNumber(wishes.find((one) => isOf(one, split))?.amount ?? 0))
}

/** `split_unknown`: it names somebody who has nothing of the payment; `split_exceeded`: more than they have, or than all of it. */
export type RefundSplitFault = 'split_unknown' | 'split_exceeded'

/** Why a refund cannot be shared so, as things are booked now; undefined if it can. `amount` in minor units, as the splits. */
export function refundSplitFault(
  { request, booked }: PaymentState,
  wishes: readonly Split[],
  amount: number,
): RefundSplitFault | undefined {
  if (wishes.length === 0) return undefined
  const places = wishes.map((wish) => request?.splits?.findIndex((split) => isOf(wish, split)) ?? -1)
  if (!request || places.includes(-1)) return 'split_unknown'
  const left = toGiveBack(booked, request)
  const isTooMuch = wishes.some((wish, index) => fromMinorNumber(wish.amount) > at(left, places[index] ?? -1))
  const total = sum(wishes.map((wish) => fromMinorNumber(wish.amount)))
  return isTooMuch || total > fromMinorNumber(amount) ? 'split_exceeded' : undefined
}

function isOf(one: Split, other: Split): boolean {
  return one.merchant === other.merchant && one.account === other.account
}

function shared(amount: bigint, weights: readonly bigint[], { currency }: PaymentRequest): number[] {
  if (amount === 0n) return weights.map(() => 0)
  const known = parseCurrency(currency)
  invariant(known, 'the currency of a request was checked')
  return allocate(money(amount, known), weights).map(({ minor }) => toMinorNumber(minor))
}

function askedOf({ amount, splits = [] }: PaymentRequest): bigint[] {
  const parts = splits.map((split) => fromMinorNumber(split.amount))
  return [...parts, fromMinorNumber(amount) - sum(parts)]
}

/** What was booked of these kinds, by party. */
function totalOf(booked: Booked, request: PaymentRequest, kinds: readonly MovementKind[]): bigint[] {
  const none = askedOf(request).map(() => 0n)
  return Object.values(booked)
    .filter(({ kind, currency }) => kinds.includes(kind) && currency === request.currency)
    .map((movement) => wholePartsOf(movement, request))
    .reduce((totals, parts) => totals.map((total, place) => total + at(parts, place)), none)
}

function wholePartsOf({ amount, parts }: Pick<BookedMovement, 'amount' | 'parts'>, { splits = [] }: PaymentRequest) {
  const others = splits.map((_, place) => fromMinorNumber(parts?.[place] ?? 0))
  return [...others, fromMinorNumber(amount) - sum(others)]
}

/** What has to be taken back, to be booked anew: money that was booked before the splits of the payment were known. */
export function unsharedChanges(before: PaymentState, { request, booked }: PaymentState): Change[] {
  if (before.request || !request?.splits) return []
  const unshared = Object.entries(booked).filter(([, { kind }]) => sharedKinds.includes(kind))
  return changes(Object.fromEntries(unshared), [])
}

function at(parts: readonly bigint[], place: number): bigint {
  return parts[place] ?? 0n
}

function atLeastNothing(amount: bigint): bigint {
  return amount > 0n ? amount : 0n
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}

function sum(numbers: readonly bigint[]): bigint {
  return numbers.reduce((total, number) => total + number, 0n)
}
