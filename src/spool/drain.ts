import { isAway } from '#kernel/away'
import type { Clock } from '#kernel/clock'
import type { LogDoor } from '#log'
import type { Batch, Spool } from './spool.ts'
import type { WaitingRow } from './spool-file.ts'

/** How soon a log that was away is asked again: doubled each time, up to the second. */
const RETRY_MS = 100
const RETRY_MAX_MS = 1_000
/** How often files of processes that have ended are looked for. */
const ADOPT_MS = 5_000

export type Drain = {
  /** Something waits. */
  wake(): void
  /** Resolves when the batch under way is committed, or has failed. */
  stop(): Promise<void>
}

export type DrainPorts = {
  readonly door: LogDoor
  readonly spool: Spool
  readonly clock: Clock
  /** The log took something, or nothing is left that it could be asked to take. */
  reached(): void
  failed(error: unknown): void
}

/** Hands what waits to the log, the oldest first, a batch at a time, until it is stopped. */
export function startDrain({ door, spool, clock, reached, failed }: DrainPorts): Drain {
  const stopping = new AbortController()
  let wakening = new AbortController()
  let isWoken = false
  let adoptAtMs = clock.monotonicMs() + ADOPT_MS
  let retryMs = RETRY_MS

  const pause = async (ms: number): Promise<void> => {
    wakening = new AbortController()
    if (!isWoken) await clock.sleep(ms, AbortSignal.any([wakening.signal, stopping.signal]))
    isWoken = false
  }

  const turn = async (): Promise<number> => {
    if (clock.monotonicMs() >= adoptAtMs) {
      adoptAtMs = clock.monotonicMs() + ADOPT_MS
      await spool.adopt()
    }
    const batch = await spool.next()
    if (!batch) {
      reached()
      return ADOPT_MS
    }
    await hand(batch)
    reached()
    return 0
  }

  const hand = async (batch: Batch): Promise<void> => {
    try {
      await door.commit(together(batch.rows))
      await batch.done(batch.rows)
    } catch (error) {
      if (!door.isRefusal(error)) throw error
      await handOneByOne(batch)
    }
  }

  /** One of them is refused: the others must not wait for it. */
  const handOneByOne = async (batch: Batch): Promise<void> => {
    for (const row of batch.rows) {
      try {
        await door.commit(row.prepared)
      } catch (error) {
        if (!door.isRefusal(error)) throw error
        await batch.setAside(row)
        continue
      }
      await batch.done([row])
    }
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        const ms = await turn()
        retryMs = RETRY_MS
        if (ms > 0) await pause(ms)
      } catch (error) {
        if (!isAway(error)) failed(error)
        // Not to be woken by what is spooled meanwhile: the log was asked a moment ago.
        await clock.sleep(retryMs, stopping.signal)
        retryMs = Math.min(2 * retryMs, RETRY_MAX_MS)
      }
    }
  }

  const running = run()
  return {
    wake() {
      isWoken = true
      wakening.abort()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** All or none, in this order: keys that several rows share stay in it. */
function together(rows: readonly WaitingRow[]) {
  return {
    events: rows.flatMap(({ prepared }) => prepared.events),
    keys: rows.flatMap(({ prepared }) => prepared.keys),
  }
}
