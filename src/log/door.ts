import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { type DataKey, storeKeys } from '#kernel/seal'
import { startStopwatch, type Tracer } from '#kernel/tracing'
import { append, remember } from './append.ts'
import { type Encoded, encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import { failureOf } from './failure.ts'
import type { RecentTraces } from './recent-traces.ts'
import { createTail, type Tail } from './tail.ts'
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

/** Events that were checked and written out, and the data keys that they bring: what can be appended later as well. */
export type Prepared = {
  readonly events: readonly Encoded[]
  readonly keys: readonly Pick<DataKey, 'row'>[]
  /** What it was made of, while that is known: for tracing, and for readers of this process. */
  readonly source?: readonly NewEvent[]
}

/** The log's own door, with its two steps apart: a spool keeps what is prepared until it can be committed. */
export type LogDoor = Door & {
  /** What it has committed, for the readers of this process. */
  readonly tail: Tail
  /** @throws EventInvalid when an event does not fit its schema. */
  prepare(events: readonly NewEvent[]): Prepared
  /**
   * As `append`: all or none, in this order. What was given up before its commit began is left out, and told nothing more.
   * Committing again what was committed is for the readers to notice.
   */
  commit(prepared: Prepared, givenUp?: AbortSignal): Promise<void>
  /** Whether this error of a commit would come again, whenever it is repeated: it is the events' own doing. */
  isRefusal(error: unknown): boolean
}

/** What an event's way through the door is told to. */
export type DoorTracing = { readonly tracer: Tracer; readonly clock: Clock; readonly recent: RecentTraces }

type Waiting = Prepared & {
  readonly givenUp: AbortSignal | undefined
  done(): void
  failed(error: unknown): void
}

/**
 * Group commit: what arrives while a commit is under way goes into the next one, and an idle door
 * commits at once. Partitions share a transaction while nobody holds their heads; when somebody does,
 * each partition goes by itself, so that a frozen process stalls only what it had claimed.
 */
export function createDoor(
  database: Database,
  wakeups: Wakeups,
  { tracing }: { readonly tracing?: DoorTracing } = {},
): LogDoor {
  const tail = createTail()
  let queue: Waiting[] = []
  let committing: Promise<void> | undefined
  const aside = new Set<Promise<void>>()

  const commitAll = async (): Promise<void> => {
    while (queue.length > 0) {
      const group = takeGroup()
      if (group.length === 0) break
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
    queue = queue.filter(({ givenUp }) => givenUp?.aborted !== true)
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
    const appended = await database.transaction(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }, async (tx) => {
      if (keys.length > 0) await storeKeys(tx, keys)
      return append(tx, events)
    })
    remember(tail, appended, group.flatMap(sourceOf))
    for (const key of keys) markStored(key)
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

  const prepare = (events: readonly NewEvent[]): Prepared => ({
    events: events.map((event) => encode(event)),
    keys: events.flatMap(({ dataKeys = [] }) => dataKeys),
    source: events,
  })

  const commitTogether = async ({ events, keys, source }: Prepared, givenUp?: AbortSignal): Promise<void> => {
    const watch = tracing?.tracer.isOn ? startStopwatch(tracing.clock) : undefined
    await new Promise<void>((done, failed) => {
      queue.push({ events, keys, givenUp, done, failed, ...(source && { source }) })
      // In a microtask, so that requests parsed in the same turn share the commit.
      committing ??= Promise.resolve().then(commitAll)
    })
    if (!tracing || !watch || !source) return
    tracing.recent.learn(source)
    traceAccepted(tracing.tracer, source, watch)
  }

  return {
    tail,
    prepare,
    commit: commitTogether,
    isRefusal: (error) => failureOf(error) === 'deterministic',
    async append(events) {
      if (events.length > 0) await commitTogether(prepare(events))
    },
    async close() {
      await committing
      await Promise.all(aside)
    },
  }
}

/** One for each event; a spool knows none. */
function sourceOf({ events, source }: Prepared): readonly (NewEvent | undefined)[] {
  return source ?? events.map(() => undefined)
}

function fail(group: readonly Waiting[], reason: unknown): void {
  for (const waiting of group) waiting.failed(reason)
}

/** One that comes from a spool has only its row: whether that is stored, the vault knows. */
type Brought = Pick<DataKey, 'row'> & { isStored?: boolean }

function newKeys(group: readonly Waiting[]): Brought[] {
  return [...new Set(group.flatMap(({ keys }): readonly Brought[] => keys))].filter(({ isStored }) => isStored !== true)
}

function markStored(key: Brought): void {
  if (key.isStored !== undefined) key.isStored = true
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
