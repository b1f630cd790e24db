import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import * as sql from './sql.ts'
import { TIMERS_GROUP } from './timers.ts'
import type { Wakeups } from './wakeup.ts'

/** A dead process's partitions are free this long after its last heartbeat. */
export const LEASE_TTL_MS = 3_000
const HEARTBEAT_MS = 1_000
/** Leases given back wake by this name, in every process: whoever is left need not wait for its next heartbeat. */
const GIVEN_BACK = 'log.leases'

/** Which partitions of which groups this process may work on, as of its last heartbeat. */
export type LeaseBook = { of(group: string): sql.Leases }

export type LeaseKeeper = LeaseBook & {
  /** Gives back what is leased of one group, for good: its work here has ended, and that of others has not. */
  giveBack(group: string): Promise<void>
  /** Renews, gives back what is over the fair share, takes what is free. */
  tick(): Promise<void>
  /** No other process lived on this log at the last heartbeat: there is nobody to be woken. */
  isAlone(): boolean
  /** Gives everything back, so that others need not wait for the leases to expire. */
  leave(): Promise<void>
}

const NONE: sql.Leases = new Map()

export function createLeaseKeeper(
  database: Database,
  process: string,
  groups: readonly string[],
  wakeups: Wakeups,
): LeaseKeeper {
  let book = new Map<string, Map<number, bigint>>()
  let isAlone = false
  let ticking: Promise<unknown> = Promise.resolve()
  const kept = new Set(groups)
  const renew = async (): Promise<void> => {
    const next = new Map<string, Map<number, bigint>>()
    for (const { grp, partition, epoch } of await sql.heartbeat(database, process, [...kept], LEASE_TTL_MS)) {
      const leases = next.get(grp) ?? new Map<number, bigint>()
      next.set(grp, leases.set(partition, epoch))
    }
    book = next
  }
  const look = async (): Promise<void> => {
    await renew()
    const changed: string[] = []
    for (const group of kept) {
      if ((await sql.rebalance(database, process, group, LEASE_TTL_MS)) > 0) changed.push(group)
    }
    if (changed.length > 0) await renew()
    isAlone = !(await sql.areOthers(database, process))
    // What was taken over waits for nobody to look.
    if (changed.length > 0) wakeups.wake(changed.flatMap(wakingNames))
  }
  return {
    of: (group) => book.get(group) ?? NONE,
    tick() {
      const looking = look()
      ticking = looking.catch(() => {})
      return looking
    },
    async giveBack(group) {
      kept.delete(group)
      // One that has begun would take it again.
      await ticking
      book.delete(group)
      await sql.giveBack(database, process, group)
      wakeups.wake([GIVEN_BACK])
    },
    isAlone: () => isAlone,
    async leave() {
      book = new Map()
      await sql.leave(database, process)
      wakeups.wake([GIVEN_BACK])
    },
  }
}

/** What a consumer, a deliverer and the timers of a group sleep on. */
function wakingNames(group: string): string[] {
  return group === TIMERS_GROUP ? ['timers'] : [group, `group:${group}`]
}

/** Keeps the leases until stopped. A heartbeat that fails is tried again: the epoch, not the clock, is the fence. */
export function startHeartbeat(
  keeper: LeaseKeeper,
  { clock, wakeups }: { readonly clock: Clock; readonly wakeups: Wakeups },
  failed: (error: unknown) => void,
) {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const ticket = wakeups.ticket([GIVEN_BACK])
      await clock.sleep(HEARTBEAT_MS, AbortSignal.any([ticket.signal, stopping.signal]))
      ticket.release()
      if (!stopping.signal.aborted) await keeper.tick().catch(failed)
    }
  }
  const done = run()
  return async () => {
    stopping.abort()
    await done
  }
}
