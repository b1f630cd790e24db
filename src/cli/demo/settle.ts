import * as sql from './sql.ts'
import type { Stage } from './stage.ts'

const LOOK_MS = 100

/** Waits until every event is read; payments may still wait for a gateway. */
export async function untilQuiet(stage: Stage, limitMs: number): Promise<boolean> {
  return until(stage, limitMs, ({ unread }) => unread === 0n)
}

/**
 * Waits until nothing is left to do anywhere. Inquiries are brought forward: between the first question about a
 * payment that a gateway has never heard of and the last one the platform would otherwise let a minute and more pass.
 */
export async function untilSettled(stage: Stage, limitMs: number): Promise<boolean> {
  return until(stage, limitMs, async (open) => {
    stage.progress(`to settle: ${open.undecided} payments, ${open.deliveries} calls, ${open.unread} events`)
    if (open.unread === 0n && open.timers > 0n) await sql.hurry(stage.database)
    return open.unread === 0n && open.deliveries === 0n && open.timers === 0n && open.undecided === 0n
  })
}

async function until(
  stage: Stage,
  limitMs: number,
  isReached: (open: sql.Open) => boolean | Promise<boolean>,
): Promise<boolean> {
  const deadline = stage.clock.monotonicMs() + limitMs
  while (stage.clock.monotonicMs() < deadline) {
    const open = await sql.open(stage.database, stage.tenant)
    if (open && (await isReached(open))) return true
    await stage.clock.sleep(LOOK_MS)
  }
  return false
}
