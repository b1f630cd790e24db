import { type Database, statement } from '#kernel/database'

/** An event as operators see it: the CloudEvents 1.0 record with the place it has on the log. */
export type BrowsedEvent = {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly type: string
  readonly version: number
  readonly id: string
  readonly time: Date
  readonly tenant: string
  readonly mode: string
  readonly traceparent: string
  readonly causation_id: string | null
  readonly correlation_id: string
  readonly data: unknown
}

const COLUMNS = `topic, partition, "offset", key, type, version, id, time, tenant, mode, traceparent, causation_id,
  correlation_id, data`

const OF_KEY = statement(
  'log.events_of_key',
  `select ${COLUMNS} from log.event where key = $1 and tenant = $2 and mode = $3
   order by position, topic, "offset" limit $4`,
)
/** Events of a key over all topics, oldest first. */
export function eventsOfKey(
  database: Database,
  about: { key: string; tenant: string; mode: string; limit: number },
): Promise<BrowsedEvent[]> {
  return database.query<BrowsedEvent>(OF_KEY, [about.key, about.tenant, about.mode, about.limit])
}

const BY_ID = statement(
  'log.event_by_id',
  `select ${COLUMNS} from log.event where id = $1 or key = $1 order by position limit 100`,
)
/** The event with this id, or the events of this key. */
export function eventsNamed(database: Database, name: string): Promise<BrowsedEvent[]> {
  return database.query<BrowsedEvent>(BY_ID, [name])
}

const AFTER = statement(
  'log.events_after',
  `select position, ${COLUMNS} from log.event
   where position > $1 and ($2::text is null or topic = $2) order by position, topic, partition, "offset" limit $3`,
)
const LAST = statement(
  'log.last_position',
  `select coalesce(min(position), 1) - 1 as position from (
     select position from log.event where ($1::text is null or topic = $1) order by position desc limit $2
   ) last`,
)
export async function positionBeforeLast(database: Database, topic: string | null, count: number): Promise<bigint> {
  const [row] = await database.query<{ position: bigint }>(LAST, [topic, count])
  return row?.position ?? 0n
}
/** For following the log by eye: an append that commits late may be passed over; groups read by offset and never do. */
export function eventsAfter(database: Database, position: bigint, topic: string | null, limit: number) {
  return database.query<BrowsedEvent & { position: bigint }>(AFTER, [position, topic, limit])
}

const TIMERS = statement(
  'log.timers',
  `select id, generation, due_at, fired_at, event ->> 'topic' as topic from log.timer order by due_at limit $1`,
)
export type TimerView = { id: string; generation: bigint; due_at: Date; fired_at: Date | null; topic: string }
export function listTimers(database: Database, limit: number): Promise<TimerView[]> {
  return database.query<TimerView>(TIMERS, [limit])
}

const LAG = statement(
  'log.lag',
  `select k.grp as "group", sum(h.next_offset - k.next_offset) as events,
     coalesce(extract(epoch from log.now() - min(e.time)), 0)::float8 as seconds
   from log.checkpoint k
   join log.partition h on h.topic = k.topic and h.partition = k.partition
   left join log.event e on e.topic = k.topic and e.partition = k.partition and e."offset" = k.next_offset
   group by k.grp order by k.grp`,
)
export type Lag = { group: string; events: bigint; seconds: number }
/** How far behind each group is, in events and in seconds of its oldest unread one. */
export function lagOfGroups(database: Database): Promise<Lag[]> {
  return database.query<Lag>(LAG)
}

const GAPS = statement(
  'log.gaps',
  `select p.topic, p.partition, p.next_offset, count(e."offset") as events
   from log.partition p left join log.event e on e.topic = p.topic and e.partition = p.partition
   group by p.topic, p.partition, p.next_offset
   having count(e."offset") <> p.next_offset or max(e."offset") is distinct from nullif(p.next_offset - 1, -1)`,
)
/** Partitions whose offsets are not 0, 1, 2 … up to their head. */
export function gaps(database: Database) {
  return database.query<{ topic: string; partition: number; next_offset: bigint; events: bigint }>(GAPS)
}

const HEADS = statement(
  'log.heads',
  'select topic, partition, next_offset from log.partition where topic = any ($1) order by topic, partition',
)
export function headsOf(database: Database, topics: readonly string[]) {
  return database.query<{ topic: string; partition: number; next_offset: bigint }>(HEADS, [topics])
}

const FROM_OFFSETS = statement(
  'log.from_offsets',
  `select r.topic, r.partition, r."offset", r.position, r.time, r.key, r.type, r.event
   from unnest($1::text[], $2::int[], $3::bigint[]) as w (topic, partition, next_offset)
   join log.partition h on h.topic = w.topic and h.partition = w.partition and h.next_offset > w.next_offset
   cross join lateral (
     select * from log.record e
     where e.topic = w.topic and e.partition = w.partition and e."offset" >= w.next_offset
     order by e."offset" limit $4
   ) r
   order by r.position, r.topic, r.partition, r."offset"`,
)
export type FollowedRow = {
  topic: string
  partition: number
  offset: bigint
  position: bigint
  time: Date
  key: string
  type: string
  event: string
}
/** What is committed from these offsets on, at most so many of each partition, in causal order. */
export function eventsFrom(
  database: Database,
  from: { topics: readonly string[]; partitions: readonly number[]; offsets: readonly number[] },
  perPartition: number,
): Promise<FollowedRow[]> {
  return database.query<FollowedRow>(FROM_OFFSETS, [from.topics, from.partitions, from.offsets, perPartition])
}
