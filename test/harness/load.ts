import { systemClock } from '#kernel/clock'
import type { AppUnderTest } from './app.ts'
import { chargeSucceeded } from './stripe-events.ts'

export type Load = {
  /** Names of the payments whose webhook was answered. */
  readonly acknowledged: ReadonlySet<string>
  failed(): number
  /** The longest that an answer, good or bad, took since it was asked for last; what is under way included. */
  longestMs(): number
  /** Resolves when every client has its last answer. */
  stop(): Promise<void>
}

/** Clients that report one payment of 1000 after the other, and again what was not answered well, as gateways do. */
export function startLoad(app: AppUnderTest, about: { clients: number; pauseMs?: number }): Load {
  const acknowledged = new Set<string>()
  const underWay = new Map<string, number>()
  let isOpen = true
  let failures = 0
  let longestMs = 0

  const send = async (name: string): Promise<void> => {
    const startedMs = systemClock.monotonicMs()
    underWay.set(name, startedMs)
    try {
      await app.webhook(chargeSucceeded(name))
      acknowledged.add(name)
    } catch {
      failures++
      // As much as a gateway would leave between two attempts, in small.
      await systemClock.sleep(20)
    } finally {
      underWay.delete(name)
      longestMs = Math.max(longestMs, systemClock.monotonicMs() - startedMs)
    }
  }
  const client = async (number: number): Promise<void> => {
    for (let payment = 0; isOpen; payment++) {
      const name = `c${number}x${payment}`
      while (isOpen && !acknowledged.has(name)) await send(name)
      if (about.pauseMs !== undefined) await systemClock.sleep(about.pauseMs)
    }
  }
  const done = Promise.all(Array.from({ length: about.clients }, (_, number) => client(number)))
  return {
    acknowledged,
    failed: () => failures,
    longestMs() {
      const now = systemClock.monotonicMs()
      const longest = Math.max(longestMs, ...[...underWay.values()].map((startedMs) => now - startedMs))
      longestMs = 0
      return longest
    },
    async stop() {
      isOpen = false
      await done
    },
  }
}

/** How often each payment of a load was posted, by name. */
export async function postedPayments(app: AppUnderTest): Promise<Map<string, number>> {
  const rows = await app.rows<{ intent: string; n: number }>(
    `select split_part(split_part(source, '/', 4), '#', 1) as intent, count(*)::int as n from ledger.entry group by 1`,
  )
  return new Map(rows.map(({ intent, n }) => [intent.replace(/^pi_/, ''), n]))
}
