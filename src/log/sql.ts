import { type Database, statement, type Tx } from '#kernel/database'

/** Leases by partition: partition → epoch. */
export type Leases = ReadonlyMap<number, bigint>

/** What a record says of the event beside its place, key and type. `log.event` shows it by these names. */
export type Headers = {
  version: number
  id: string
  tenant: string
  mode: string
  traceparent: string
  causation_id: string | null
  correlation_id: string
  timer_id?: string
  /** In digits: JSON numbers end at 2^53. */
  timer_generation?: string
  data: unknown
}

export type Place = { topic: string; partition: number; offset: bigint; time: Date; key: string; type: string }

/** An event as the log gave it. */
export type EventRow = Place & Headers & { is_parked: boolean }
/** One whose type the group does not read: only to be moved past. */
export type SkippedRow = Place & { version: null; is_parked: boolean }
/** What a stretch of events is that the caller holds: they need not be sent. */
export type HeldRange = {
  readonly topic: string
  readonly partition: number
  readonly first: bigint
  readonly end: bigint
}
/** From this offset on, what the caller holds comes next. */
export type HeldRow = { topic: string; partition: number; offset: bigint; key: null }
/** Merged by position with what is held; nothing of its partition may be taken from one on that is beyond. */
export type TakenRow = Place & {
  position: bigint
  event: string | null
  is_parked: boolean
  is_beyond: boolean
}

const TAKE = statement('log.take', 'select * from log.take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)')
export type Take = {
  group: string
  leases: Leases
  topics: readonly string[]
  types: readonly string[]
  perPartition: number
  total: number
  bytes: number
}
/** Locks the checkpoints of the leases that still hold and returns what is next for them, in causal order. */
export function take(tx: Tx, wanted: Take, held: readonly HeldRange[] = []): Promise<(TakenRow | HeldRow)[]> {
  const { group, leases, topics, types, perPartition, total, bytes } = wanted
  return tx.query<TakenRow | HeldRow>(TAKE, [
    group,
    [...leases.keys()],
    [...leases.values()],
    topics,
    types,
    perPartition,
    total,
    bytes,
    held.map(({ topic }) => topic),
    held.map(({ partition }) => partition),
    held.map(({ first }) => first),
    held.map(({ end }) => end),
  ])
}

const FENCE = statement('log.fence', 'select * from log.fence($1, $2, $3) as partition')
/** Locks the group's checkpoints of these leases; returns the partitions that are still ours. */
export async function fence(tx: Tx, group: string, leases: Leases): Promise<number[]> {
  const rows = await tx.query<{ partition: number }>(FENCE, [group, [...leases.keys()], [...leases.values()]])
  return rows.map(({ partition }) => partition)
}

const ADVANCE = statement('log.advance', 'select log.advance($1, $2, $3, $4)')
export type Progress = { topic: string; partition: number; nextOffset: bigint }
export async function advance(tx: Tx, group: string, progress: readonly Progress[]): Promise<void> {
  await tx.query(ADVANCE, [
    group,
    progress.map(({ topic }) => topic),
    progress.map(({ partition }) => partition),
    progress.map(({ nextOffset }) => nextOffset),
  ])
}

const APPEND = statement('log.append', 'select * from log.append_placed($1, $2, $3, $4, $5, $6, $7, $8, $9)')
export type AppendRows = {
  topics: string[]
  partitions: number[]
  counts: number[]
  heads: number[]
  places: number[]
  keys: string[]
  types: string[]
  events: string[]
  attachments: (Buffer | null)[]
}
/** Where the events of a head went: the offset of its place 0, and what all of the append have in common. */
export type AppendedHead = { head: number; first_offset: bigint; position: bigint; time: Date }
/** The transaction's last act: the partitions' heads stay locked from here to the commit. */
export async function append(tx: Tx, rows: AppendRows): Promise<AppendedHead[]> {
  const { topics, partitions, counts, heads, places, keys, types, events } = rows
  // Where there is none, as almost everywhere, an empty array does: unnest fills up with nulls.
  const attachments = rows.attachments.some((bytes) => bytes !== null) ? rows.attachments : []
  return tx.query<AppendedHead>(APPEND, [topics, partitions, counts, heads, places, keys, types, events, attachments])
}

const PARK = statement('log.park', 'select log.park($1, $2, $3)')
export async function park(tx: Tx, group: string, events: readonly Place[], error: string | null): Promise<void> {
  await tx.query(PARK, [group, JSON.stringify(events, bigintAsText), error])
}

const SCHEDULE = statement('log.schedule', 'select log.schedule($1)')
export type TimerRow = { id: string; partition: number; due_ms: number; event: TimedEvent }
export async function schedule(tx: Tx, timers: readonly TimerRow[]): Promise<void> {
  await tx.query(SCHEDULE, [JSON.stringify(timers)])
}

const CANCEL = statement('log.cancel', 'select log.cancel($1)')
export async function cancel(tx: Tx, ids: readonly string[]): Promise<void> {
  await tx.query(CANCEL, [ids])
}

const SPEND = statement('log.spend_timers', 'select * from log.spend_timers($1, $2)')
export type Firing = { readonly id: string; readonly generation: bigint }
export const firingName = ({ id, generation }: Firing): string => `${id}@${generation}`
/** Of the firings given, the names of those that were neither cancelled nor rescheduled nor spent before. */
export async function spendTimers(tx: Tx, firings: readonly Firing[]): Promise<Set<string>> {
  const rows = await tx.query<Firing>(SPEND, [firings.map(({ id }) => id), firings.map((firing) => firing.generation)])
  return new Set(rows.map(firingName))
}

const FIRE_DUE = statement('log.fire_due', 'select * from log.fire_due($1, $2)')
/** An event as it will be appended, but for the firing's name. */
export type TimedEvent = { topic: string; key: string; type: string; json: string }
export type FiredRow = { id: string; generation: bigint; event: TimedEvent }
export function fireDue(tx: Tx, partitions: readonly number[], limit: number): Promise<FiredRow[]> {
  return tx.query<FiredRow>(FIRE_DUE, [partitions, limit])
}

const NEXT_DUE = statement(
  'log.next_due',
  `select extract(epoch from min(due_at) - log.now())::float8 * 1000 as in_ms
   from log.timer where partition = any ($1) and fired_at is null`,
)
/** Milliseconds until the next timer is due, or undefined when there is none. */
export async function nextDueInMs(database: Database, partitions: readonly number[]): Promise<number | undefined> {
  const [row] = await database.query<{ in_ms: number | null }>(NEXT_DUE, [partitions])
  return row?.in_ms ?? undefined
}

const HEARTBEAT = statement('log.heartbeat', 'select * from log.heartbeat($1, $2, $3)')
export type LeaseRow = { grp: string; partition: number; epoch: bigint }
export function heartbeat(
  database: Database,
  process: string,
  groups: readonly string[],
  ttlMs: number,
): Promise<LeaseRow[]> {
  return database.query<LeaseRow>(HEARTBEAT, [process, groups, ttlMs])
}

const REBALANCE = statement('log.rebalance', 'select log.rebalance($1, $2, $3) as changed')
/** Returns how many partitions changed hands. */
export async function rebalance(database: Database, process: string, group: string, ttlMs: number): Promise<number> {
  const [row] = await database.query<{ changed: number }>(REBALANCE, [process, group, ttlMs])
  return row?.changed ?? 0
}

const OTHERS = statement(
  'log.other_processes',
  'select exists (select from log.member where process <> $1 and expires_at > log.now()) as are_there',
)
/** Whether another process lives on this log. */
export async function areOthers(database: Database, process: string): Promise<boolean> {
  const [row] = await database.query<{ are_there: boolean }>(OTHERS, [process])
  return row?.are_there ?? true
}

const GIVE_BACK = statement(
  'log.give_back',
  `with no_member as (delete from log.member where process = $1 and grp = $2)
   update log.lease set owner = null, expires_at = '-infinity' where owner = $1 and grp = $2`,
)
/** What leaving does, for one group. */
export async function giveBack(database: Database, process: string, group: string): Promise<void> {
  await database.query(GIVE_BACK, [process, group])
}

const FORGET_DEAD = statement(
  'log.forget_dead',
  `delete from log.member where expires_at < log.now() - interval '1 day'`,
)
/** Memberships of processes that were killed: they count for nothing, and would only become more. */
export async function forgetDead(database: Database): Promise<void> {
  await database.query(FORGET_DEAD)
}

const LEAVE = statement('log.leave', 'select log.leave($1)')
export async function leave(database: Database, process: string): Promise<void> {
  await database.query(LEAVE, [process])
}

const CREATE_TOPIC = statement('log.create_topic', 'select log.create_topic($1, $2)')
export async function createTopic(database: Database, topic: string, partitions: number): Promise<void> {
  await database.query(CREATE_TOPIC, [topic, partitions])
}

const REGISTER = statement('log.register_group', 'select log.register_group($1, $2, $3, $4)')
export async function registerGroup(
  database: Database,
  group: { name: string; topics: readonly string[]; partitions: number; from: 'beginning' | 'now' },
): Promise<void> {
  await database.query(REGISTER, [group.name, group.topics, group.partitions, group.from])
}

const RETRIES = statement(
  'log.requested_retries',
  `select key, partition, requests from log.parked_key
   where grp = $1 and partition = any ($2) and retry_requested_at is not null
   order by retry_requested_at, key limit 20`,
)
export function requestedRetries(database: Database, group: string, partitions: readonly number[]) {
  return database.query<{ key: string; partition: number; requests: number }>(RETRIES, [group, partitions])
}

const PARKED_NEXT = statement(
  'log.parked_next',
  'select sequence, edits, event from log.parked where grp = $1 and key = $2 order by sequence limit $3',
)
export type ParkedRow = { sequence: bigint; edits: number; event: Record<string, unknown> }
export function parkedNext(tx: Tx, group: string, key: string, limit: number) {
  return tx.query<ParkedRow>(PARKED_NEXT, [group, key, limit])
}

const UNPARK = statement('log.unpark', 'delete from log.parked where grp = $1 and key = $2 and sequence = any ($3)')
export async function unpark(tx: Tx, group: string, key: string, sequences: readonly bigint[]): Promise<void> {
  await tx.query(UNPARK, [group, key, sequences])
}

const RELEASE = statement(
  'log.release_key',
  `delete from log.parked_key k where k.grp = $1 and k.key = $2
   and not exists (select 1 from log.parked p where p.grp = $1 and p.key = $2)`,
)
/** Lets the key flow again if nothing of it is parked; only under the checkpoint's lock. */
export async function releaseKey(tx: Tx, group: string, key: string): Promise<void> {
  await tx.query(RELEASE, [group, key])
}

const REFUSED = statement(
  'log.retry_failed',
  `with failed as (
     update log.parked set error = $6, attempts = attempts + 1
     where grp = $1 and key = $2 and sequence = $4 and edits = $5
     returning sequence
   )
   update log.parked_key set retry_requested_at = null
   where grp = $1 and key = $2 and requests = $3 and exists (select from failed)`,
)
export type FailedRetry = {
  group: string
  key: string
  requests: number
  sequence: bigint
  edits: number
  error: string
}
/**
 * The retry failed again: says why, and waits to be asked anew. Where the event was edited or discarded meanwhile, or a retry
 * asked for again, that stands. Only under the checkpoint's lock.
 */
export async function retryFailed(tx: Tx, failed: FailedRetry): Promise<void> {
  const { group, key, requests, sequence, edits, error } = failed
  await tx.query(REFUSED, [group, key, requests, sequence, edits, error])
}

/** Offsets and generations beyond 2^53 stay exact in JSON as text. */
function bigintAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
