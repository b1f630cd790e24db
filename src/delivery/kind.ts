import type { Destination } from './destination.ts'
import type { Delivery } from './sql.ts'

/** What an attempt may do, given that an earlier one may have reached the destination without our knowing. */
export function kindOf({ idempotency }: Destination, delivery: Delivery, wasTriedUnseen: boolean, now: number) {
  if (wasTriedUnseen && idempotency.kind === 'none') return 'hold'
  const isLate = delivery.notAfter !== null && now > delivery.notAfter
  if (wasTriedUnseen && idempotency.kind === 'window') {
    // Past its time it must not be sent any more; but it may have been, so what became of it has to be found out.
    return isLate || now - delivery.firstAttemptAt >= idempotency.windowMs ? 'ask' : 'send'
  }
  return isLate ? 'expired' : 'send'
}
