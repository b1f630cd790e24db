import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { ARCHIVE_GROUP, type ArchiveSettings, closedBy, createArchiver, type Kept } from './archiver.ts'
import { createLeaseKeeper, startHeartbeat } from './lease.ts'
import * as sql from './sql.ts'
import { createWakeups } from './wakeup.ts'

export type ArchivingOnce = ArchiveSettings & {
  readonly database: Database
  readonly clock: Clock
  /** Name of this process, different from every other's. */
  readonly process: string
  /** Closes every segment that has an event, whatever its size and age. */
  readonly all: boolean
  warn(problem: string): void
}

/**
 * Does what there is to do now, for whoever archives by hand or by a timer of the system: what is done comes as it is done.
 * Nothing is begun, and `busy` called, when another process has the lease: it does the same by itself.
 */
export async function* archiveOnce(options: ArchivingOnce, busy: () => void): AsyncGenerator<Kept> {
  const { database, clock, all, warn } = options
  const wakeups = createWakeups()
  await sql.registerGroup(database, { name: ARCHIVE_GROUP, topics: [], partitions: 1, from: 'now' })
  const leases = createLeaseKeeper(database, options.process, [ARCHIVE_GROUP], wakeups)
  await leases.tick()
  // A heartbeat that fails is made good by the next; without any, the fence says so.
  const stopHeartbeat = startHeartbeat(leases, { clock, wakeups }, () => {})
  try {
    if (leases.of(ARCHIVE_GROUP).size === 0) return busy()
    const report = (report: { kind: string }): void => warn('error' in report ? String(report.error) : report.kind)
    const archiver = createArchiver({ ...options, leases, wakeups, report })
    const next = async (): Promise<Kept | undefined> =>
      (await archiver.close(all ? { events: 1, ageMs: 0 } : closedBy)) ?? archiver.serve()
    for (let kept = await next(); kept; kept = await next()) yield kept
  } finally {
    await stopHeartbeat()
    await leases.leave()
  }
}
