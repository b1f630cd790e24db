import type { Database } from '#kernel/database'
import { operationsOf } from './operation.ts'
import { type Impossible, possibilityOf, type Wish } from './possible.ts'
import { find, type PaymentRef } from './sql.ts'
import { emptyPayment } from './state.ts'

export type Judgement =
  | { readonly status: 'payment_not_found' }
  /** The operation is there already. `fingerprint` is of the body that made it. */
  | { readonly status: 'known'; readonly fingerprint: string | null }
  | { readonly status: 'possible' }
  /** `left`: how much could have been asked for, in minor units, where the amount was too large. */
  | { readonly status: 'impossible'; readonly code: Impossible; readonly left?: number }

/**
 * Says of an operation, before it is accepted, whether it is known or could be done, as of the last commit. No
 * promise: the decider has the last word.
 */
export function createJudge(ports: {
  readonly database: Database
  isCallable(account: string): boolean
  /** Whether the log has a request for this payment, decided or not. */
  isAccepted(ref: PaymentRef): Promise<boolean>
}) {
  return async (ref: PaymentRef, { operation, ...wish }: Wish & { operation: string }): Promise<Judgement> => {
    const [payment] = await find(ports.database, [ref])
    if (!payment && !(await ports.isAccepted(ref))) return { status: 'payment_not_found' }
    const state = payment?.state ?? emptyPayment
    const known = operationsOf(state).find(({ id }) => id === operation)
    if (known) return { status: 'known', fingerprint: known.fingerprint }
    const possibility = possibilityOf(state, wish, ports.isCallable)
    if (possibility.isPossible) return { status: 'possible' }
    const { code, left } = possibility
    return { status: 'impossible', code, ...(left === undefined ? {} : { left }) }
  }
}
