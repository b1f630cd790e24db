import type { App } from '#app'
import type { Clock } from '#kernel/clock'
import { createFollower, encodeOffsets, type Follower } from '#log'
import { findPayments } from '#payments'
import { eventScope } from './event-routes.ts'
import { createEventStreams, type EventStreams } from './event-streams.ts'
import { publicTopics } from './public-events.ts'
import { type Awaited, createWhenDecided } from './when-decided.ts'

export type Following = {
  readonly follower: Follower
  readonly streams: EventStreams
  readonly whenDecided: ReturnType<typeof createWhenDecided>['whenDecided']
  /** Ends the streams and lets go who waits: before the server stops listening, or it would wait for them. */
  release(): Promise<void>
  close(): Promise<void>
}

/** What lives on hearing of events as they are committed: streams and waiting requests, on one reader. */
export function createFollowing({ databases, wakeups, cursors }: App, clock: Clock): Following {
  const follower = createFollower({ database: databases.read, wakeups, clock, topics: publicTopics })
  const streams = createEventStreams({
    follower,
    clock,
    idOf: (whose, offsets) => cursors.write(eventScope(whose), encodeOffsets(offsets)),
  })
  const waiting = createWhenDecided({ follower, clock, arePending: (asked) => arePending(databases, asked) })
  return {
    follower,
    streams,
    whenDecided: waiting.whenDecided,
    async release() {
      waiting.close()
      await streams.close()
    },
    close: () => follower.close(),
  }
}

/** One that is not decided yet is in no table: it is pending too. */
async function arePending({ read }: App['databases'], asked: readonly Awaited[]): Promise<boolean[]> {
  const found = await findPayments(
    read,
    asked.map(({ ref }) => ref),
  )
  const payments = new Map(found.map((payment) => [nameOf(payment), payment]))
  return asked.map(({ ref, operation }) => {
    const payment = payments.get(nameOf(ref))
    const awaited = operation === undefined ? payment : payment?.operations.find(({ id }) => id === operation)
    return (awaited?.status ?? 'pending') === 'pending'
  })
}

function nameOf({ tenant, mode, id }: Awaited['ref']): string {
  return `${tenant}/${mode}/${id}`
}
