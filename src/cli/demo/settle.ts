import * as sql from './sql.ts'
import { type Stage, until } from './stage.ts'

/** Waits until every event is read; payments may still wait for a gateway. */
export async function untilQuiet(stage: Stage, limitMs: number): Promise<boolean> {
  return look(stage, limitMs, ({ unread }) => unread === 0n)
}

/**
 * Waits until nothing is left to do anywhere. Inquiries are brought forward: between the first question about a
 * payment that a gateway has never heard of and the last one the platform would otherwise let a minute and more pass.
 */
export async function untilSettled(stage: Stage, limitMs: number): Promise<boolean> {
  return look(stage, limitMs, async (open) => {
    stage.progress(`to settle: ${open.undecided} payments, ${open.deliveries} calls, ${open.unread} events`)
    if (open.unread === 0n && open.timers > 0n) await sql.hurry(stage.database)
    return open.unread === 0n && open.deliveries === 0n && open.timers === 0n && open.undecided === 0n
  })
}

async function look(
  stage: Stage,
  limitMs: number,
  isReached: (open: sql.Open) => boolean | Promise<boolean>,
): Promise<boolean> {
  return until(stage, limitMs, async () => {
    const open = await sql.open(stage.database, stage.tenant)
    return open !== undefined && isReached(open)
  })
}
