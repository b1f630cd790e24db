import type { Tx } from '#kernel/database'
import type { TimerChange } from './module.ts'
import * as sql from './sql.ts'
import { scheduleRows } from './timer-row.ts'

/** A batch may change one timer several times: the last change stands. Returns whether one was set. */
export async function changeTimers(tx: Tx, timers: readonly TimerChange[]): Promise<boolean> {
  const changes = new Map(timers.map((change) => ['cancel' in change ? change.cancel : change.schedule.id, change]))
  const cancels = [...changes.values()].flatMap((change) => ('cancel' in change ? [change.cancel] : []))
  const schedules = [...changes.values()].flatMap((change) => ('schedule' in change ? [change.schedule] : []))
  if (cancels.length > 0) await sql.cancel(tx, cancels)
  if (schedules.length > 0) await sql.schedule(tx, scheduleRows(schedules))
  return schedules.length > 0
}
