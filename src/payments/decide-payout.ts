import type { payoutReported } from '#gateways/events'
import { type EventOf, follow, type NewEvent } from '#log'
import { book, changes } from './change.ts'
import { payoutPaid } from './events.ts'
import { emptyPayout, joinPayouts, type PayoutState, payoutMovementsOf } from './payout.ts'

/** Decides what a report means for its payout; books what was paid, once, and takes it back when it failed. */
export function decidePayout(
  before: PayoutState | undefined,
  event: EventOf<typeof payoutReported>,
): { state: PayoutState; facts: NewEvent[] } {
  const joined = joinPayouts(before ?? emptyPayout, event.data.account, event.data.reports)
  const moved = changes(joined.booked, payoutMovementsOf(joined))
  const facts = moved.map(({ key, revision, account, object, delta, currency }) =>
    follow(
      event,
      payoutPaid,
      { movement: key, revision, account, object, delta, currency, effectiveAt: event.time },
      { part: `${key}#${revision}` },
    ),
  )
  return { state: { ...joined, booked: book(joined.booked, moved) }, facts }
}
