import { encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import { partitionOf } from './partitioner.ts'
import type { TimerRow } from './sql.ts'

/** Timers as `log.schedule` takes them. The event is checked now: a timer must not fail when nobody waits for it. */
export function scheduleRows(schedules: readonly { id: string; at: number; event: NewEvent }[]): TimerRow[] {
  return schedules.map(({ id, at, event }) => {
    const { topic, key, type, json } = encode(event)
    return { id, partition: partitionOf(event.key), due_ms: Math.ceil(at), event: { topic, key, type, json } }
  })
}
