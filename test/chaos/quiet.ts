import { Client } from 'pg'
import { systemClock } from '#kernel/clock'
import type { World } from './world.ts'

/** What is not done yet. */
export type Open = {
  readonly unread: number
  readonly deliveries: number
  readonly timers: number
  readonly undecided: number
}

const LOOK_MS = 500

const OPEN = `select
  (select coalesce(sum(h.next_offset - k.next_offset), 0)::int from log.checkpoint k
   join log.partition h on h.topic = k.topic and h.partition = k.partition) as unread,
  (select count(*)::int from delivery.head) as deliveries,
  (select count(*)::int from log.timer where fired_at is null) as timers,
  (select count(*)::int from payments.payment where status in ('pending', 'unknown')) as undecided`

/** A gateway that has never heard of a payment is asked for minutes before it is believed; the run has less time. */
const HURRY = 'update log.timer set due_at = log.now() where fired_at is null and due_at > log.now()'

/** Waits until nothing is left to do anywhere; questions about payments in doubt are brought forward. */
export async function untilQuiet(world: World, limitMs: number, tell: (open: Open) => void): Promise<boolean> {
  const database = new Client({ connectionString: world.server.url })
  await database.connect()
  const deadline = systemClock.monotonicMs() + limitMs
  try {
    for (;;) {
      const { rows } = await database.query<Open>(OPEN)
      const open = rows[0] ?? { unread: 1, deliveries: 0, timers: 0, undecided: 0 }
      tell(open)
      if (open.unread + open.deliveries + open.timers + open.undecided === 0) return true
      if (systemClock.monotonicMs() > deadline) return false
      if (open.unread === 0 && open.timers > 0) await database.query(HURRY)
      await systemClock.sleep(LOOK_MS)
    }
  } finally {
    await database.end()
  }
}
