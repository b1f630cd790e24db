import { systemClock } from '#kernel/clock'
import type { Child } from '../child.ts'
import type { GatewaySide } from '../children/gateway.ts'
import { type Client, GaveUp } from './client.ts'
import { type Journal, openJournal } from './journal.ts'
import { openMerchant } from './merchant.ts'
import { openReader } from './reader.ts'
import { CURRENCIES, storyOf } from './story.ts'

export type Load = {
  readonly journal: Journal
  /** Payments that were begun, whatever became of them. */
  begun(): number
  /** Begins nothing new; resolves when every story is over, or has been given up after the limit. */
  end(limitMs: number): Promise<{ readonly givenUp: number }>
}

/** Stories that may be lived at once: one whose gateway is slow lasts seconds. */
const AT_ONCE = 800
const PAY_OUT_EVERY_MS = 20_000

/** Payments at a steady rate; what an outage held up is made up for, as far as so many at once allow. */
export function startLoad(about: {
  readonly seed: number
  readonly perSecond: number
  readonly client: Client
  readonly gateway: Child<GatewaySide>
  readonly apiKey: string
}): Load {
  const { seed, perSecond, client, gateway, apiKey } = about
  const journal = openJournal(systemClock.now)
  const merchant = openMerchant({ seed, client, journal, apiKey })
  const startedMs = systemClock.monotonicMs()
  const ending = new AbortController()
  let [begun, givenUp] = [0, 0]

  const live = async (n: number): Promise<void> => {
    const story = storyOf(seed, n)
    try {
      if (story.kind !== 'begun') return await merchant.live(story)
      const { amount, currency, refund } = story
      await gateway.ask('report', { amount, currency, refund })
    } catch (error) {
      if (error instanceof GaveUp) givenUp++
      else journal.broke(`payment ${n} came to no end: ${error}`)
    }
  }
  let [living, room] = [0, Promise.withResolvers<void>()]
  const over = (): void => {
    living--
    room.resolve()
    room = Promise.withResolvers()
  }
  const begin = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const earlyMs = startedMs + (begun * 1000) / perSecond - systemClock.monotonicMs()
      if (earlyMs > 0) await systemClock.sleep(earlyMs, ending.signal)
      else if (living >= AT_ONCE) await room.promise
      else {
        living++
        void live(begun++).finally(over)
      }
    }
    while (living > 0) await room.promise
  }
  const stories = begin()
  const reading = openReader({ client, journal, apiKey, stopping: ending.signal })
  const payingOut = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      await systemClock.sleep(PAY_OUT_EVERY_MS, ending.signal)
      await gateway.ask('payOut', CURRENCIES)
    }
  }
  const others = Promise.all([reading, payingOut()])

  return {
    journal,
    begun: () => begun,
    async end(limitMs) {
      ending.abort()
      const ended = new AbortController()
      const late = systemClock.sleep(limitMs, ended.signal).then(() => ended.signal.aborted || client.giveUp())
      await Promise.all([stories, others])
      ended.abort()
      await late
      return { givenUp }
    },
  }
}
