import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import * as sql from './sql.ts'

/** A dead process's partitions are free this long after its last heartbeat. */
export const LEASE_TTL_MS = 3_000
const HEARTBEAT_MS = 1_000

/** Which partitions of which groups this process may work on, as of its last heartbeat. */
export type LeaseBook = { of(group: string): sql.Leases }

export type LeaseKeeper = LeaseBook & {
  /** Renews, gives back what is over the fair share, takes what is free. */
  tick(): Promise<void>
  /** No other process lived on this log at the last heartbeat: there is nobody to be woken. */
  isAlone(): boolean
  /** Gives everything back, so that others need not wait for the leases to expire. */
  leave(): Promise<void>
}

const NONE: sql.Leases = new Map()

export function createLeaseKeeper(database: Database, process: string, groups: readonly string[]): LeaseKeeper {
  let book = new Map<string, Map<number, bigint>>()
  let isAlone = false
  const renew = async (): Promise<void> => {
    const next = new Map<string, Map<number, bigint>>()
    for (const { grp, partition, epoch } of await sql.heartbeat(database, process, groups, LEASE_TTL_MS)) {
      const leases = next.get(grp) ?? new Map<number, bigint>()
      next.set(grp, leases.set(partition, epoch))
    }
    book = next
  }
  return {
    of: (group) => book.get(group) ?? NONE,
    async tick() {
      await renew()
      let changed = 0
      for (const group of groups) changed += await sql.rebalance(database, process, group, LEASE_TTL_MS)
      if (changed > 0) await renew()
      isAlone = !(await sql.areOthers(database, process))
    },
    isAlone: () => isAlone,
    async leave() {
      book = new Map()
      await sql.leave(database, process)
    },
  }
}

/** Keeps the leases until stopped. A heartbeat that fails is tried again: the epoch, not the clock, is the fence. */
export function startHeartbeat(keeper: LeaseKeeper, clock: Clock, failed: (error: unknown) => void) {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await clock.sleep(HEARTBEAT_MS, stopping.signal)
      if (!stopping.signal.aborted) await keeper.tick().catch(failed)
    }
  }
  const done = run()
  return async () => {
    stopping.abort()
    await done
  }
}
