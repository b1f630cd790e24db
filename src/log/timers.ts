import type { Encoded } from './codec.ts'
import { appendRows } from './codec.ts'
import type { LoopContext } from './consumer.ts'
import { describeFailure } from './failure.ts'
import { partitionOf } from './partitioner.ts'
import * as sql from './sql.ts'

export const TIMERS_GROUP = 'log.timers'

/** Timers fired in one transaction. */
const BATCH = 256
/** Looks at least this often: the database's clock, which decides, may have been moved. */
const LOOK_MS = 1_000
/** One that is due and was not fired is being moved or cancelled by somebody: soon again, and not at once. */
const LOCKED_MS = 10

/** Appends the events of due timers, until stopped. */
export function startTimers(context: LoopContext): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const ticket = context.wakeups.ticket(['timers'])
      const pause = await turn(context)
      if (pause > 0) await context.clock.sleep(pause, AbortSignal.any([ticket.signal, stopping.signal]))
      ticket.release()
    }
  }
  const done = run()
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

async function turn(context: LoopContext): Promise<number> {
  try {
    const { fired, topics } = await fireDue(context)
    context.wakeups.wake(topics)
    if (fired === BATCH) return 0
    const next = await sql.nextDueInMs(context.database, [...context.leases.of(TIMERS_GROUP).keys()])
    return Math.max(fired === 0 ? LOCKED_MS : 1, Math.min(LOOK_MS, next ?? LOOK_MS))
  } catch (error) {
    context.report({ kind: 'fault', group: TIMERS_GROUP, error: describeFailure(error) })
    return LOOK_MS
  }
}

/** Fires what is due, in one transaction: marked and appended together, so each firing is on the log once. */
export async function fireDue({ database, leases }: Pick<LoopContext, 'database' | 'leases'>) {
  const held = leases.of(TIMERS_GROUP)
  if (held.size === 0) return { fired: 0, topics: [] }
  return database.transaction({}, async (tx) => {
    const partitions = await sql.fence(tx, TIMERS_GROUP, held)
    const fired = await sql.fireDue(tx, partitions, BATCH)
    const events = fired.map(firing)
    if (events.length > 0) await sql.append(tx, appendRows(events))
    return { fired: fired.length, topics: [...new Set(events.map(({ topic }) => topic))] }
  })
}

function firing({ id, generation, event }: sql.FiredRow): Encoded {
  const headers: sql.Headers = { ...JSON.parse(event.json), timer_id: id, timer_generation: generation.toString() }
  const json = JSON.stringify(headers)
  return { ...event, partition: partitionOf(event.key), bytes: Buffer.byteLength(json), json, attachment: null }
}
