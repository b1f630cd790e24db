import type { ObjectReport } from '#gateways/events'
import { joinInto } from './join.ts'
import { movement } from './movement.ts'
import { ranks, type StatusOf } from './ranks.ts'
import type { Booked, Movement, ObjectKey } from './state.ts'
import { currencyOf, current, joinTracked, type Tracked, track } from './tracked.ts'

export type PayoutStatus = StatusOf<'payout'>

/** What is known of payouts, and of it what is booked; the same lattice as a payment's. Plain JSON. */
export type PayoutState = {
  readonly payouts: Readonly<Record<ObjectKey, Tracked<PayoutStatus>>>
  readonly booked: Booked
}

export const emptyPayout: PayoutState = { payouts: {}, booked: {} }

/** Commutative, associative and idempotent; reports of anything but payouts change nothing. */
export function joinPayouts(state: PayoutState, account: string, reports: readonly ObjectReport[]): PayoutState {
  const payouts = reports.reduce(
    (known, report) =>
      report.kind === 'payout'
        ? joinInto(known, track<PayoutStatus>(account, report, [report.status]), joinOne)
        : known,
    state.payouts,
  )
  return { ...state, payouts }
}

/**
 * A payout counts once it is paid: until then the gateway owes us the money still. Failed or canceled
 * after that, it has come back.
 */
export function payoutMovementsOf(state: PayoutState): Movement[] {
  return Object.values(state.payouts)
    .filter((payout) => payout.amount > 0 && current(payout) === 'paid')
    .map((payout) => {
      const { id, account, amount } = payout
      return movement('payout', { object: id, account, amount, currency: currencyOf(payout) })
    })
}

function joinOne(one: Tracked<PayoutStatus>, other: Tracked<PayoutStatus>): Tracked<PayoutStatus> {
  return joinTracked(one, other, ranks.payout)
}
