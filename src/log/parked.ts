import { type Database, statement, type Tx } from '#kernel/database'
import { startStopwatch, type Tracer } from '#kernel/tracing'
import { describeFailure, failureOf } from './failure.ts'
import type { LeaseBook } from './lease.ts'
import * as sql from './sql.ts'
import { type Consumer, handleRows, type StepContext } from './step.ts'
import { traceBatch } from './tracing.ts'
import type { Wakeups } from './wakeup.ts'

/** Parked events of a key in one transaction. */
const REDRIVE_BATCH = 100

type RetryContext = StepContext & { readonly leases: LeaseBook; readonly wakeups: Wakeups; readonly tracer?: Tracer }

/**
 * Handles anew the parked events of the keys somebody asked to retry, in their order. It runs in the
 * loop of the group, under the same lock as its batches: no new event of the key can pass in between,
 * and the key is let go only when nothing of it is parked.
 */
export async function retryParked(consumer: Consumer, context: RetryContext): Promise<void> {
  const leases = context.leases.of(consumer.group)
  for (const asked of await sql.requestedRetries(context.database, consumer.group, [...leases.keys()])) {
    const epoch = leases.get(asked.partition)
    if (epoch !== undefined) await retryKey(consumer, { ...asked, epoch }, context)
  }
}

type Target = { readonly key: string; readonly partition: number; readonly requests: number; readonly epoch: bigint }

async function retryKey(consumer: Consumer, target: Target, context: RetryContext): Promise<void> {
  let batch = REDRIVE_BATCH
  while (true) {
    let tried: readonly sql.ParkedRow[] = []
    try {
      const watch = context.tracer?.isOn ? startStopwatch(context.clock) : undefined
      const retried = await retryBatch(consumer, target, context, async (tx) => {
        tried = nextBatch(consumer, await sql.parkedNext(tx, consumer.group, target.key, batch))
        return tried
      })
      if (retried === undefined) return
      context.wakeups.wake(retried.wake)
      if (watch) traceBatch(context.tracer, { group: consumer.group, ...retried.done }, watch)
    } catch (error) {
      if (failureOf(error) === 'fault') throw error
      const [first, second] = tried
      if (!first) throw error
      if (!second) return noteFailure(consumer.group, target, first, describeFailure(error), context)
      batch = Math.max(1, Math.floor(tried.length / 8))
    }
  }
}

type NextRows = (tx: Tx) => Promise<readonly sql.ParkedRow[]>

async function retryBatch(consumer: Consumer, target: Target, context: RetryContext, next: NextRows) {
  const { group, role } = consumer
  const { key } = target
  return context.database.transaction({}, async (tx) => {
    if (!(await isHeld(tx, group, target))) return undefined
    const parked = await next(tx)
    const sequences = parked.map(({ sequence }) => sequence)
    await sql.unpark(tx, group, key, sequences)
    await sql.releaseKey(tx, group, key)
    await tx.become(role)
    const rows = parked.map(({ event }) => restored(event))
    if (rows.length === 0) return undefined
    return handleRows(consumer, rows, tx, context, async () => {})
  })
}

async function noteFailure(
  group: string,
  target: Target,
  { sequence, edits }: sql.ParkedRow,
  error: string,
  { database }: RetryContext,
): Promise<void> {
  const { key, requests } = target
  await database.transaction({}, async (tx) => {
    if (await isHeld(tx, group, target)) await sql.retryFailed(tx, { group, key, requests, sequence, edits, error })
  })
}

async function isHeld(tx: Tx, group: string, { partition, epoch }: Target): Promise<boolean> {
  return (await sql.fence(tx, group, new Map([[partition, epoch]]))).length > 0
}

/** As far as one transaction may go. An event of a newer version is for a newer process to retry. */
function nextBatch(consumer: Consumer, parked: readonly sql.ParkedRow[]): readonly sql.ParkedRow[] {
  const isNewer = ({ event }: sql.ParkedRow): boolean => {
    const of = consumer.types.get(String(event.type))
    return of !== undefined && Number(event.version) > of.version
  }
  const newer = parked.findIndex(isNewer)
  return untilFiring(newer === -1 ? parked : parked.slice(0, newer))
}

/** A firing begins a batch: what comes before it may cancel it. */
function untilFiring<Row extends { event: Record<string, unknown> }>(parked: readonly Row[]): readonly Row[] {
  const next = parked.findIndex(({ event }, place) => place > 0 && event.timer_id != null)
  return next === -1 ? parked : parked.slice(0, next)
}

/** A parked row is the event as `log.take` gave it, through JSON. */
function restored(event: Record<string, unknown>): sql.EventRow {
  const row = event as unknown as sql.EventRow
  return { ...row, offset: BigInt(String(event.offset)), time: new Date(String(event.time)) }
}

export type ParkedKey = {
  group: string
  key: string
  events: number
  first_type: string
  error: string | null
  parked_at: Date
  retry_requested_at: Date | null
}

const LIST = statement(
  'log.parked_list',
  `select k.grp as "group", k.key, k.parked_at, k.retry_requested_at,
     (select count(*)::int from log.parked p where p.grp = k.grp and p.key = k.key) as events,
     f.event ->> 'type' as first_type, f.error
   from log.parked_key k
   left join lateral (
     select p.event, p.error from log.parked p where p.grp = k.grp and p.key = k.key order by p.sequence limit 1
   ) f on true
   where ($1::text is null or k.grp = $1)
   order by k.parked_at, k.grp, k.key limit 1000`,
)
export function listParked(database: Database, group: string | null): Promise<ParkedKey[]> {
  return database.query<ParkedKey>(LIST, [group])
}

export type ParkedEvent = {
  sequence: bigint
  event: Record<string, unknown>
  /** As it was parked, where it was edited since. */
  original: Record<string, unknown> | null
  error: string | null
  attempts: number
  parked_at: Date
}

const SHOW = statement(
  'log.parked_show',
  `select sequence, event, original, error, attempts, parked_at
   from log.parked where grp = $1 and key = $2 order by sequence`,
)
export function showParked(database: Pick<Database, 'query'>, group: string, key: string): Promise<ParkedEvent[]> {
  return database.query<ParkedEvent>(SHOW, [group, key])
}

const REQUEST = statement(
  'log.request_retry',
  `update log.parked_key set retry_requested_at = log.now(), requests = requests + 1
   where ($1::text is null or grp = $1) and ($2::text is null or key = $2)
   returning grp as "group", key`,
)
/** Asks the group's owner to handle a key's parked events anew. Safe to repeat: a request is a mark, not a job. */
export function requestRetry(database: Pick<Database, 'query'>, group: string | null, key: string | null) {
  return database.query<{ group: string; key: string }>(REQUEST, [group, key])
}
