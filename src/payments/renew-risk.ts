import type { PaymentInput } from './conclude.ts'
import type { PaymentsPorts, RiskVerdict } from './ports.ts'
import { type PaymentRecord, refName } from './sql.ts'

/** A verdict says how things were: cards are stolen and velocities rise while a request waits. */
const RISK_AGE_MAX_MS = 5 * 60 * 1000

/**
 * New verdicts for the requests of a batch that are about to be executed on an old one, by event. All are asked for
 * at once: the batch waits for the slowest, and no answer takes longer than the port lets it.
 */
export async function renewRisk(
  batch: readonly PaymentInput[],
  known: ReadonlyMap<string, PaymentRecord>,
  now: number,
  assess: PaymentsPorts['assess'],
): Promise<ReadonlyMap<string, RiskVerdict>> {
  const renewed = new Map<string, RiskVerdict>()
  const stale = batch.flatMap((event) => {
    if (event.type !== 'payment.requested') return []
    const { tenant, mode, key: id, data } = event
    // What waited in a spool was assessed long before the log had it. Of two clocks, the one that says older is believed.
    if (now - Math.min(event.time, data.risk.assessedAt ?? event.time) <= RISK_AGE_MAX_MS) return []
    const isOver = data.risk.isRefused || now > data.expiresAt
    const isRepeated = known.get(refName({ tenant, mode, id }))?.state.request != null
    return isOver || isRepeated ? [] : [event]
  })
  await Promise.all(
    stale.map(async ({ id, tenant, data: { merchant, customer, amount, currency } }) => {
      renewed.set(id, await assess({ tenant, merchant, customer, amount, currency }))
    }),
  )
  return renewed
}
