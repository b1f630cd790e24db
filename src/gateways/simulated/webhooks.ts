import { sign } from '#gateways/stripe'
import type { Clock } from '#kernel/clock'
import { FetchFailure, type HttpFetch } from '#kernel/fetch'
import { createGate } from './gate.ts'
import type { ProducedEvent } from './objects.ts'

export type WebhookCounts = {
  /** Attempts made. */
  readonly sent: number
  /** Acknowledged with a 2xx. */
  readonly delivered: number
  readonly retried: number
  /** Given up after the last attempt, or when the gateway stopped. */
  readonly failed: number
}

export type WebhookOptions = {
  readonly clock: Clock
  readonly fetch: HttpFetch
  /** A function where the receiver has no address yet when the gateway starts; empty where there is no receiver. */
  readonly url: string | (() => string)
  readonly secret: string
  /** `hold` keeps every webhook until it is released. */
  readonly deliver: 'send' | 'hold'
  readonly attemptsMax: number
  /** How many events are remembered; the oldest go first. */
  readonly eventsMax: number
}

/** `reversed` sends one after the other, the last first; `first` is for whoever waits before answering. */
export type Manner = 'once' | 'twice' | 'reversed' | 'first'

export type Webhooks = {
  /** Records the events, and sends them unless they are held. Resolves when all are done with. */
  post(events: readonly ProducedEvent[], manner: Manner): Promise<void>
  /** Sends what is held, one after the other, in the order and as often as `order` says; drops what it leaves out. */
  release(order?: (held: readonly ProducedEvent[]) => readonly ProducedEvent[]): Promise<void>
  /** Resolves when nothing is on its way. */
  idle(): Promise<void>
  events(): readonly ProducedEvent[]
  counts(): WebhookCounts
  /** Gives up what waits for its next attempt. */
  stop(): Promise<void>
}

const timeoutMs = 10_000
/** Past this, webhooks would spend their timeout on waiting for a connection. */
const atOnceMax = 32
const backoffFirstMs = 1000
const backoffMaxMs = 60_000
export function createWebhooks(options: WebhookOptions): Webhooks {
  const stopping = new AbortController()
  const counts = { sent: 0, delivered: 0, retried: 0, failed: 0 }
  const gate = createGate(atOnceMax)
  const underWay = new Set<Promise<void>>()
  let produced: ProducedEvent[] = []
  let held: ProducedEvent[] = []

  const deliver = async (event: ProducedEvent): Promise<void> => {
    for (let attempt = 1; attempt <= options.attemptsMax && !stopping.signal.aborted; attempt += 1) {
      if (attempt > 1) counts.retried += 1
      counts.sent += 1
      if (await gate(() => isAcknowledged(event, options))) {
        counts.delivered += 1
        return
      }
      const waitMs = Math.min(backoffFirstMs * 2 ** (attempt - 1), backoffMaxMs)
      if (attempt < options.attemptsMax) await options.clock.sleep(waitMs, stopping.signal)
    }
    counts.failed += 1
  }
  const inTurn = async (events: readonly ProducedEvent[]): Promise<void> => {
    for (const event of events) await deliver(event)
  }
  const track = (work: Promise<void>): Promise<void> => {
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  return {
    async post(events, manner) {
      produced.push(...events)
      // Now and then, and many at once: cutting a long list for each new event would cost more than the event.
      if (produced.length > options.eventsMax * 1.25) produced = produced.slice(-options.eventsMax)
      const sent = manner === 'reversed' ? events.toReversed() : events
      if (options.deliver === 'hold') held.push(...sent)
      else if (manner === 'reversed') await track(inTurn(sent))
      else await Promise.all((manner === 'twice' ? [...sent, ...sent] : sent).map((event) => track(deliver(event))))
    },
    async release(order = (events) => events) {
      const released = order(held)
      held = []
      for (const event of released) await track(deliver(event))
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay)
    },
    events: () => produced.slice(-options.eventsMax),
    counts: () => ({ ...counts }),
    async stop() {
      stopping.abort()
      await Promise.all(underWay)
    },
  }
}

/** Signed anew for every attempt, as Stripe does: a late retry must not look stale. */
async function isAcknowledged(event: ProducedEvent, { clock, fetch, url, secret }: WebhookOptions): Promise<boolean> {
  const signature = sign(Buffer.from(event.body), secret, Math.floor(clock.now() / 1000))
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature }
  const address = typeof url === 'string' ? url : url()
  try {
    const { status } = await fetch({ method: 'POST', url: address, headers, body: event.body, timeoutMs })
    return status >= 200 && status < 300
  } catch (error) {
    if (error instanceof FetchFailure) return false
    throw error
  }
}
