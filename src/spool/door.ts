import { isAway } from '#kernel/away'
import type { Clock } from '#kernel/clock'
import type { Door, LogDoor } from '#log'
import { type Drain, startDrain } from './drain.ts'
import type { Prepared, Spool } from './spool.ts'

/**
 * How long an event waits for the log's answer before the spool takes it: longer than a transaction may take, so that
 * a log that is merely busy is left to itself, and well within what a client waits.
 */
export const PATIENCE_MS = 3_500

export type SpoolingDoor = Door & {
  /** Whether what comes now goes to the spool, because the log was away when it was last asked. */
  isSpooling(): boolean
  /** Begins to drain: once the log is known to be ours. Safe to repeat. */
  startDraining(): void
}

export type SpoolingPorts = {
  readonly door: LogDoor
  readonly spool: Spool
  readonly clock: Clock
  /** Told of what keeps the spool from being drained, other than that the log is away. */
  failed(error: unknown): void
}

/**
 * A door that falls back: what the log cannot take goes to the spool, and so does whatever follows it under the same
 * key until that is drained. What was possibly committed is spooled too: readers know a repetition by its ids.
 */
export function createSpoolingDoor({ door, spool, clock, failed }: SpoolingPorts): SpoolingDoor {
  // Until the log is known to be ours: a process that starts without it has not asked it yet.
  let isLogAway = true
  let drain: Drain | undefined

  const spoolInstead = async (prepared: Prepared): Promise<void> => {
    try {
      await spool.append(prepared)
    } finally {
      // After a failure too: with nothing left to hand over, the log is asked again.
      drain?.wake()
    }
  }

  return {
    isSpooling: () => isLogAway,
    startDraining() {
      drain ??= startDrain({
        door,
        spool,
        clock,
        failed,
        reached: () => {
          isLogAway = false
        },
      })
    },
    async append(events) {
      if (events.length === 0) return
      const prepared = door.prepare(events)
      if (isLogAway || events.some(({ key }) => spool.holds(key))) return spoolInstead(prepared)
      try {
        await inTime((givenUp) => door.commit(prepared, givenUp), clock)
      } catch (error) {
        if (!(error instanceof LogSilent) && !isAway(error)) throw error
        isLogAway ||= !isContention(error)
        await spoolInstead(prepared)
      }
    },
    async close() {
      await drain?.stop()
      await door.close()
    },
  }
}

/** Somebody holds the head of one partition, as a frozen process may: the others go on as ever. */
function isContention(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}

class LogSilent extends Error {
  override name = 'LogSilent'
}

async function inTime(begin: (givenUp: AbortSignal) => Promise<void>, clock: Clock): Promise<void> {
  const [answered, givingUp] = [new AbortController(), new AbortController()]
  const commit = begin(givingUp.signal)
  const late = clock.sleep(PATIENCE_MS, answered.signal).then(() => {
    if (answered.signal.aborted) return
    givingUp.abort()
    throw new LogSilent('the log has not answered in time')
  })
  try {
    // Whatever loses the race is heard of no more: that it rejects is then nobody's business.
    await Promise.race([commit, late])
  } finally {
    // With a reason of ours: making the default one takes 10 µs.
    answered.abort('over')
    late.catch(() => {})
    commit.catch(() => {})
  }
}
