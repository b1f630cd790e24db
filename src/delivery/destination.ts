import type { NewEvent } from '#log'
import type { Delivery } from './sql.ts'

/**
 * What a destination says about being called twice. It decides what happens to a call of which we do
 * not know whether it was made: a fence stops a zombie's commit, not its HTTP call.
 */
export type Idempotency =
  /** The same call may be repeated for this long after the first try; then it is only asked about. */
  | { readonly kind: 'window'; readonly windowMs: number }
  /** Repeating is allowed for ever, and may be seen twice. */
  | { readonly kind: 'at_least_once' }
  /** Never repeated: held for a person to look at. */
  | { readonly kind: 'none' }

export type Outcome =
  /** The destination has answered, for good or ill: nothing more to send. */
  | { readonly kind: 'done'; readonly result: unknown }
  /** It has surely done nothing, or may be called again: later, not before `afterMs`. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }

/** Where deliveries go. */
export type Destination = {
  readonly name: string
  readonly idempotency: Idempotency
  /** Calls under way at once. */
  readonly concurrency: number
  /** Makes the call, or asks what became of it. Never rejects for what the destination did; never hangs. */
  attempt(delivery: Delivery, kind: 'send' | 'ask'): Promise<Outcome>
  /** The facts that the outcome is told by. `expired` was never sent. */
  settle(delivery: Delivery, outcome: { kind: 'done'; result: unknown } | { kind: 'expired' }): readonly NewEvent[]
}

export function deliveryGroup(destination: string): string {
  return `delivery:${destination}`
}
