import type { WhenDecided } from '#intake'
import { batched } from '#kernel/batched'
import type { Clock } from '#kernel/clock'
import type { Followed, Follower } from '#log'

/** What somebody waits for: a payment, or one operation of it. */
export type Awaited = { readonly ref: Parameters<WhenDecided>[0]; readonly operation: string | undefined }

type Waiter = Awaited & { readonly decided: AbortController }

/** Payments that one question asks about. */
const LOOK_UP_MAX = 256

/**
 * Whoever waits for a decision costs a timer and a place in a map: one follower hears of all payments, and those of
 * which there is news are looked up together.
 */
export function createWhenDecided(ports: {
  readonly follower: Follower
  readonly clock: Clock
  /** Of each, in order, whether it is still pending. */
  arePending(asked: readonly Awaited[]): Promise<readonly boolean[]>
}) {
  const { follower, clock } = ports
  const isPending = batched(LOOK_UP_MAX, ports.arePending)
  const waiting = new Map<string, Set<Waiter>>()
  const closing = new AbortController()
  let following: ReturnType<Follower['follow']> | undefined

  const hear = (batch: readonly Followed[]): void => {
    const keys = new Set(batch.map(({ key }) => key))
    for (const key of keys) for (const waiter of waiting.get(key) ?? []) void look(waiter)
  }

  const look = async (waiter: Waiter): Promise<void> => {
    // With the database away nothing is known: whoever waits goes on, until there is news or the time is up.
    if (!(await isPending(waiter).catch(() => true))) waiter.decided.abort()
  }

  const begin = (waiter: Waiter): void => {
    const others = waiting.get(waiter.ref.id) ?? new Set()
    waiting.set(waiter.ref.id, others.add(waiter))
    following ??= follower.follow(hear)
    // The follower hears what comes after it has begun: what was decided before has to be looked up.
    void following.ready.then(() => look(waiter))
  }

  const end = (waiter: Waiter): void => {
    const others = waiting.get(waiter.ref.id)
    others?.delete(waiter)
    if (others?.size === 0) waiting.delete(waiter.ref.id)
    if (waiting.size > 0) return
    following?.stop()
    following = undefined
  }

  const whenDecided: WhenDecided = async (ref, { operation }, seconds) => {
    if (closing.signal.aborted) return
    const waiter: Waiter = { ref, operation, decided: new AbortController() }
    begin(waiter)
    await clock.sleep(seconds * 1_000, AbortSignal.any([waiter.decided.signal, closing.signal]))
    end(waiter)
  }
  return {
    whenDecided,
    /** Lets everybody go who waits: each answers what is so by then. */
    close: () => closing.abort(),
  }
}
