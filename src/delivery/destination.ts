import { childOf } from '#kernel/tracing'
import { deliveryGroup, type NewEvent } from '#log'
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

/** `detail` is what the destination keeps of what was said and answered, with the attempt: sealed where it may be personal. */
export type Outcome = {
  readonly detail?: string
} /** The destination has answered, for good or ill: nothing more to send. */ & (
  | { readonly kind: 'done'; readonly result: unknown }
  /** It has surely done nothing, or may be called again: later, not before `afterMs`. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number }
)

/** Where deliveries go. */
export type Destination = {
  readonly name: string
  readonly idempotency: Idempotency
  /** Calls under way at once, at most. */
  readonly concurrency: number
  /** How many calls may start now, of `wanted`: where it is switched off, or has a rate of its own. Absent: all. */
  admits?(wanted: number): number
  /** Makes the call, or asks what became of it. Never rejects for what the destination did; never hangs. */
  attempt(delivery: Delivery, kind: 'send' | 'ask'): Promise<Outcome>
  /** The facts that the outcome is told by. `expired` was never sent. */
  settle(delivery: Delivery, outcome: { kind: 'done'; result: unknown } | { kind: 'expired' }): readonly NewEvent[]
}

/**
 * Destinations that one deliverer serves: a single one, or as many as there are at the moment, which then share a
 * group of several partitions, so that processes share them too.
 */
export type Fleet = {
  readonly group: string
  /** Names of its destinations are from `from` on and before `to`, byte by byte. */
  readonly names: { readonly from: string; readonly to: string }
  /** The destination of this name, if there is one to deliver to now. */
  find(name: string): Destination | undefined
  /** The partition of the group whose lease is needed for it. */
  partitionOf(name: string): number
}

export function fleetOf(destination: Destination): Fleet {
  const { name } = destination
  return {
    group: deliveryGroup(name),
    names: { from: name, to: `${name} ` },
    find: () => destination,
    partitionOf: () => 0,
  }
}

/** The span of an attempt, below that of the event that asked for it: what a call says it is part of. */
export function attemptSpan({ id, attempts, cause }: Delivery): string {
  return childOf(cause.traceparent, id, String(attempts))
}
