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
     coalesce(extract(epoch from log.now() - min(coalesce(e.time, g.first_time))), 0)::float8 as seconds
   from log.checkpoint k
   join log.partition h on h.topic = k.topic and h.partition = k.partition
   left join log.record e on e.topic = k.topic and e.partition = k.partition and e."offset" = k.next_offset
   left join log.segment g on g.topic = k.topic and g.partition = k.partition
     and g.first_offset <= k.next_offset and g.end_offset > k.next_offset
   group by k.grp order by k.grp`,
)
export type Lag = { group: string; events: bigint; seconds: number }
/** How far behind each group is, in events and in seconds of its oldest unread one. */
export function lagOfGroups(database: Database): Promise<Lag[]> {
  return database.query<Lag>(LAG)
}

const GAPS = statement(
  'log.gaps',
  `with archived as (
     select g.topic, g.partition, sum(g.end_offset - g.first_offset) as events, max(g.end_offset) as end_offset,
       sum((select count(*) from log.record r where r.topic = g.topic and r.partition = g.partition
         and r."offset" >= g.first_offset and r."offset" < g.end_offset)) as left_over
     from log.segment g where g.state <> 'kept' group by g.topic, g.partition
   ), standing as (
     select topic, partition, count(*) as events, max("offset") + 1 as end_offset from log.record group by topic, partition
   ), known as (
     select p.topic, p.partition, p.next_offset,
       coalesce(s.events, 0) + coalesce(a.events - a.left_over, 0) as events,
       greatest(s.end_offset, a.end_offset, 0) as end_offset
     from log.partition p
     left join standing s on s.topic = p.topic and s.partition = p.partition
     left join archived a on a.topic = p.topic and a.partition = p.partition
   )
   select topic, partition, next_offset, events::bigint as events from known
   where events <> next_offset or end_offset <> next_offset`,
)
/** Partitions whose offsets are not 0, 1, 2 … up to their head, on the log or in the archive. */
export function gaps(database: Database) {
  return database.query<{ topic: string; partition: number; next_offset: bigint; events: bigint }>(GAPS)
}

const HEADS = statement(
  'log.heads',
  'select topic, partition, next_offset from log.partition where topic = any ($1) order by topic, partition',
)
export function headsOf(database: Pick<Database, 'query'>, topics: readonly string[]) {
  return database.query<{ topic: string; partition: number; next_offset: bigint }>(HEADS, [topics])
}

const FROM_OFFSETS = statement(
  'log.from_offsets',
  `select w.topic, w.partition, r."offset", r.position, r.time, r.key, r.type, r.event
   from unnest($1::text[], $2::int[], $3::bigint[]) as w (topic, partition, next_offset)
   join log.partition h on h.topic = w.topic and h.partition = w.partition and h.next_offset > w.next_offset
   left join lateral (
     select * from log.record e
     where e.topic = w.topic and e.partition = w.partition and e."offset" >= w.next_offset
     order by e."offset" limit $4
   ) r on true
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
type NoRow = { readonly offset: null }
/**
 * What is committed from these offsets on, at most so many of each partition, in causal order; but for what stands in the
 * archive alone. `isCut` when a partition has none of what it should: offsets that do not follow each other tell the rest.
 */
export async function eventsFrom(
  database: Database,
  from: { topics: readonly string[]; partitions: readonly number[]; offsets: readonly number[] },
  perPartition: number,
): Promise<{ readonly rows: FollowedRow[]; readonly isCut: boolean }> {
  const values = [from.topics, from.partitions, from.offsets, perPartition]
  const found = await database.query<FollowedRow | NoRow>(FROM_OFFSETS, values)
  const rows = found.filter((row): row is FollowedRow => row.offset !== null)
  return { rows, isCut: rows.length < found.length }
}

const KEPT_FROM = statement(
  'log.kept_from',
  `select topic, partition, max(end_offset) as next_offset from log.segment
   where topic = any ($1) and state <> 'kept' group by topic, partition`,
)
/** Offsets from which on nothing is in the archive alone; none for partitions all of which is kept. */
export function keptFrom(database: Pick<Database, 'query'>, topics: readonly string[]) {
  return database.query<{ topic: string; partition: number; next_offset: bigint }>(KEPT_FROM, [topics])
}
