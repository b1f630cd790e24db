import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { type DataKey, storeKeys } from '#kernel/seal'
import { startStopwatch, type Tracer } from '#kernel/tracing'
import { appendRows, type Encoded, encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import { failureOf } from './failure.ts'
import type { RecentTraces } from './recent-traces.ts'
import * as sql from './sql.ts'
import { traceAccepted } from './tracing.ts'
import type { Wakeups } from './wakeup.ts'

/** Events of one group commit; bounds how long the heads stay locked. */
const GROUP_EVENTS_MAX = 512
/** Bytes of one group commit: what PostgreSQL parses and writes well within the transaction's time. */
const GROUP_BYTES_MAX = 4 * 1024 * 1024
/** A head that somebody holds for longer than this must not keep the other partitions waiting. */
const CONTENDED_MS = 100

/** How events get onto the log from outside a consumer: requests, webhooks, commands. */
export type Door = {
  /**
   * Resolves when the events are committed, all or none. Rejects when they surely or possibly are not:
   * the caller answers "try again", and repeating is safe because ids are pure functions.
   * @throws EventInvalid when an event does not fit its schema; nothing is appended then.
   */
  append(events: readonly NewEvent[]): Promise<void>
  /** Waits for what is under way. */
  close(): Promise<void>
}

/** What an event's way through the door is told to. */
export type DoorTracing = { readonly tracer: Tracer; readonly clock: Clock; readonly recent: RecentTraces }

type Waiting = {
  readonly events: readonly Encoded[]
  readonly keys: readonly DataKey[]
  done(): void
  failed(error: unknown): void
}

/**
 * Group commit: what arrives while a commit is under way goes into the next one, and an idle door
 * commits at once. Partitions share a transaction while nobody holds their heads; when somebody does,
 * each partition goes by itself, so that a frozen process stalls only what it had claimed.
 */
export function createDoor(database: Database, wakeups: Wakeups, tracing?: DoorTracing): Door {
  let queue: Waiting[] = []
  let committing: Promise<void> | undefined
  const aside = new Set<Promise<void>>()

  const commitAll = async (): Promise<void> => {
    while (queue.length > 0) {
      const group = takeGroup()
      try {
        await commit(group, CONTENDED_MS)
      } catch (error) {
        // Not awaited here: the next group must not wait for the partition that is held.
        const retry = commitApart(group, error).finally(() => aside.delete(retry))
        aside.add(retry)
      }
    }
    committing = undefined
  }

  const takeGroup = (): Waiting[] => {
    let events = 0
    let bytes = 0
    const size = queue.findIndex((waiting) => {
      events += waiting.events.length
      for (const encoded of waiting.events) bytes += encoded.bytes
      return events > GROUP_EVENTS_MAX || bytes > GROUP_BYTES_MAX
    })
    const group = size === -1 ? queue : queue.slice(0, Math.max(1, size))
    queue = queue.slice(group.length)
    return group
  }

  const commit = async (group: readonly Waiting[], lockTimeoutMs?: number): Promise<void> => {
    const events = group.flatMap((waiting) => waiting.events)
    const keys = newKeys(group)
    await database.transaction(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }, async (tx) => {
      if (keys.length > 0) await storeKeys(tx, keys)
      await sql.append(tx, appendRows(events))
    })
    for (const key of keys) key.isStored = true
    for (const waiting of group) waiting.done()
    wakeups.wake(new Set(events.map(({ topic }) => topic)))
  }

  const commitApart = async (group: readonly Waiting[], error: unknown): Promise<void> => {
    const parts = failureOf(error) === 'deterministic' ? group.map((waiting) => [waiting]) : byPartition(group)
    const isHopeless = !isContention(error) && failureOf(error) !== 'deterministic'
    await Promise.all(
      parts.map((part) => (isHopeless ? Promise.reject(error) : commit(part)).catch((reason) => fail(part, reason))),
    )
  }

  return {
    async append(events) {
      if (events.length === 0) return
      const watch = tracing?.tracer.isOn ? startStopwatch(tracing.clock) : undefined
      const encoded = events.map((event) => encode(event))
      const keys = events.flatMap(({ dataKeys = [] }) => dataKeys)
      await new Promise<void>((done, failed) => {
        queue.push({ events: encoded, keys, done, failed })
        // In a microtask, so that requests parsed in the same turn share the commit.
        committing ??= Promise.resolve().then(commitAll)
      })
      if (!tracing || !watch) return
      tracing.recent.learn(events)
      traceAccepted(tracing.tracer, events, watch)
    },
    async close() {
      await committing
      await Promise.all(aside)
    },
  }
}

function fail(group: readonly Waiting[], reason: unknown): void {
  for (const waiting of group) waiting.failed(reason)
}

function newKeys(group: readonly Waiting[]): DataKey[] {
  return [...new Set(group.flatMap(({ keys }) => keys))].filter(({ isStored }) => !isStored)
}

function isContention(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}

/** An append is all or none: one that spans partitions stays whole, with its first event's partition. */
function byPartition(group: readonly Waiting[]): Waiting[][] {
  const parts = new Map<string, Waiting[]>()
  for (const waiting of group) {
    const [first] = waiting.events
    const name = `${first?.topic}/${first?.partition}`
    parts.set(name, [...(parts.get(name) ?? []), waiting])
  }
  return [...parts.values()]
}
