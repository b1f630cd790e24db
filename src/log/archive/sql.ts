import { type Database, statement, type Tx } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import type { ArchivedRow } from './row.ts'

export type Place = { readonly topic: string; readonly partition: number }

export type Segment = Place & {
  readonly first_offset: bigint
  readonly end_offset: bigint
  readonly first_time: Date
  readonly last_time: Date
  /** Path below the archive's directory. */
  readonly file: string
  readonly bytes: bigint
  readonly checksum: string
  readonly state: 'kept' | 'dropping' | 'dropped' | 'restoring'
}

const COLUMNS = 'topic, partition, first_offset, end_offset, first_time, last_time, file, bytes, checksum, state'

const CLOSED = statement(
  'archive.closed',
  `select h.topic, h.partition, coalesce(s.end_offset, 0) as first_offset, h.next_offset as head, s.checksum as previous
   from log.partition h
   left join lateral (
     select g.end_offset, g.checksum from log.segment g
     where g.topic = h.topic and g.partition = h.partition order by g.end_offset desc limit 1
   ) s on true
   join log.record r on r.topic = h.topic and r.partition = h.partition and r."offset" = coalesce(s.end_offset, 0)
   where h.next_offset - r."offset" >= $1 or r.time <= log.now() - $2 * interval '1 ms'
   order by r.position`,
)
export type Closed = Place & { readonly first_offset: bigint; readonly head: bigint; readonly previous: string | null }
/** Where a segment can be closed: so many events wait to be archived, or the first of them has for so long. */
export function closedSegments(database: Database, about: { events: number; ageMs: number }): Promise<Closed[]> {
  return database.query<Closed>(CLOSED, [about.events, about.ageMs])
}

const ROWS = statement(
  'archive.rows',
  `select "offset", position, to_char(time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time, key, type, event,
     attachment
   from (
     select r.*, sum(octet_length(event) + coalesce(octet_length(attachment), 0)) over (order by "offset") as bytes
     from (
       select * from log.record
       where topic = $1 and partition = $2 and "offset" >= $3 and "offset" < $4 order by "offset" limit $5
     ) r
   ) r
   where bytes <= $6 or "offset" = $3
   order by "offset"`,
)
export type Range = Place & { readonly from: bigint; readonly until: bigint }
/** Records from an offset on, as many and as large as is said, but one at least. */
export function recordsIn(database: Database, { topic, partition, from, until }: Range, events: number, bytes: number) {
  return database.query<ArchivedRow>(ROWS, [topic, partition, from, until, events, bytes])
}

const ADD = statement(
  'archive.add_segment',
  `insert into log.segment (topic, partition, first_offset, end_offset, first_position, first_time, last_time, file, bytes,
     checksum, archived_at)
   select $1, $2, $3, $4, (array_agg(r.position order by r."offset"))[1], min(r.time), max(r.time), $5, $6, $7, log.now()
   from log.record r where r.topic = $1 and r.partition = $2 and r."offset" >= $3 and r."offset" < $4
   having count(*) = $4::bigint - $3::bigint
   returning end_offset`,
)
export type NewSegment = Place & {
  readonly firstOffset: bigint
  readonly endOffset: bigint
  readonly file: string
  readonly bytes: number
  readonly checksum: string
}
export async function addSegment(tx: Tx, segment: NewSegment): Promise<void> {
  const { topic, partition, firstOffset, endOffset, file, bytes, checksum } = segment
  const added = await tx.query(ADD, [topic, partition, firstOffset, endOffset, file, bytes, checksum])
  invariant(added.length === 1, `${topic}/${partition} has other rows than were archived from offset ${firstOffset}`)
}

// Of each group the segment where it stands and the one after it: it may read on while the next is brought, and a group
// that never moves holds no more than these.
const WANTED = `
  select distinct n.topic, n.partition, n.end_offset
  from log.checkpoint k
  cross join lateral (
    select s.topic, s.partition, s.end_offset from log.segment s
    where s.topic = k.topic and s.partition = k.partition and s.end_offset > k.next_offset
    order by s.end_offset limit 2
  ) n`

const TO_RESTORE = statement(
  'archive.to_restore',
  `select ${COLUMNS} from log.segment s join (${WANTED}) w using (topic, partition, end_offset)
   where s.state <> 'kept' and not (s.file = any ($1)) order by s.first_position limit 1`,
)
/** The first segment that a group waits for, in causal order; but for the files named. */
export async function segmentToRestore(database: Database, butFor: readonly string[]): Promise<Segment | undefined> {
  return (await database.query<Segment>(TO_RESTORE, [butFor]))[0]
}

const TO_DROP = statement(
  'archive.to_drop',
  `select ${COLUMNS} from log.segment s
   where (s.state = 'dropping' or (s.state <> 'dropped' and s.last_time < log.now() - $1 * interval '1 ms'))
     and not exists (
       select from (${WANTED}) w
       where w.topic = s.topic and w.partition = s.partition and w.end_offset = s.end_offset)
     and not (s.file = any ($2))
   order by s.first_position limit 1`,
)
/** The first segment that is older than that, and that no group needs; but for the files named. */
export async function segmentToDrop(
  database: Database,
  olderThanMs: number,
  butFor: readonly string[],
): Promise<Segment | undefined> {
  return (await database.query<Segment>(TO_DROP, [olderThanMs, butFor]))[0]
}

const SET_STATE = statement(
  'archive.set_state',
  'update log.segment set state = $4 where topic = $1 and partition = $2 and end_offset = $3',
)
export async function setState(tx: Tx, { topic, partition, end_offset }: Segment, state: Segment['state']) {
  await tx.query(SET_STATE, [topic, partition, end_offset, state])
}

const DROP = statement(
  'archive.drop_rows',
  `delete from log.record where topic = $1 and partition = $2 and "offset" >= $3 and "offset" < $4`,
)
export async function dropRows(tx: Tx, { topic, partition, from, until }: Range): Promise<void> {
  await tx.query(DROP, [topic, partition, from, until])
}

const RESTORE = statement(
  'archive.restore_rows',
  `insert into log.record (topic, partition, "offset", position, time, key, type, event, attachment)
   select $1, $2, e."offset", e.position, e.time, e.key, e.type, e.event, e.attachment
   from unnest($3::bigint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::bytea[])
     as e ("offset", position, time, key, type, event, attachment)
   on conflict do nothing`,
)
export async function restoreRows(tx: Tx, { topic, partition }: Place, rows: readonly ArchivedRow[]): Promise<void> {
  await tx.query(RESTORE, [
    topic,
    partition,
    rows.map(({ offset }) => offset),
    rows.map(({ position }) => position),
    rows.map(({ time }) => time),
    rows.map(({ key }) => key),
    rows.map(({ type }) => type),
    rows.map(({ event }) => event),
    rows.map(({ attachment }) => attachment),
  ])
}

const COVERING = statement(
  'archive.covering',
  `select ${COLUMNS} from log.segment
   where topic = $1 and partition = $2 and end_offset > $3 and first_offset <= $3 order by end_offset limit 1`,
)
/** The segment that an offset is in. */
export async function segmentCovering(database: Database, { topic, partition }: Place, offset: bigint) {
  return (await database.query<Segment>(COVERING, [topic, partition, offset]))[0]
}

const LIST = statement('archive.list', `select ${COLUMNS} from log.segment order by topic, partition, end_offset`)
export function listSegments(database: Database): Promise<Segment[]> {
  return database.query<Segment>(LIST)
}

const MISSING = statement(
  'archive.missing',
  `select ${COLUMNS} from log.segment where state <> 'kept' order by first_position`,
)
/** Segments whose rows are in the archive alone, in causal order. */
export function missingSegments(database: Database): Promise<Segment[]> {
  return database.query<Segment>(MISSING)
}

const IS_ANY_MISSING = statement(
  'archive.is_any_missing',
  `select exists (
     select from log.segment where state <> 'kept' and partition = $1 and last_time >= $2
   ) as is_any`,
)
/** Whether a segment of this partition number that ends at this instant or later is in the archive alone. */
export async function isAnyMissing(database: Database, partition: number, since: Date): Promise<boolean> {
  return (await database.query<{ is_any: boolean }>(IS_ANY_MISSING, [partition, since]))[0]?.is_any ?? false
}

const BEHIND = statement(
  'archive.behind',
  `select distinct k.grp as "group" from log.checkpoint k
   join log.segment g on g.topic = k.topic and g.partition = k.partition
   where g.state <> 'kept' and g.first_offset <= k.next_offset and g.end_offset > k.next_offset order by 1`,
)
/** Groups that stand in a segment whose rows are in the archive alone, and wait for it. */
export async function groupsBehind(database: Database): Promise<string[]> {
  return (await database.query<{ group: string }>(BEHIND)).map(({ group }) => group)
}

const SINCE = statement(
  'archive.since',
  `select topic, partition, min(first_offset) filter (where last_time >= $2) as first_offset, max(end_offset) as end_offset
   from log.segment where topic = any ($1) group by topic, partition`,
)
/** Of each partition the first segment with an event since then, if any has; and where its archive ends. */
export function segmentsSince(database: Database, topics: readonly string[], since: Date) {
  return database.query<Place & { first_offset: bigint | null; end_offset: bigint }>(SINCE, [topics, since])
}

const IS_AFTER = statement(
  'archive.is_after',
  `select r.time >= $4 as is_after from unnest($1::text[], $2::int[], $3::bigint[]) with ordinality
     as w (topic, partition, "offset", place)
   left join log.record r on r.topic = w.topic and r.partition = w.partition and r."offset" = w."offset"
   order by w.place`,
)
/** Whether each of these events was appended at this instant or later; null where there is none. */
export async function isAfter(
  database: Database,
  events: readonly (Place & { readonly offset: number })[],
  since: Date,
): Promise<(boolean | null)[]> {
  const columns = [events.map(({ topic }) => topic), events.map(({ partition }) => partition)]
  const values = [...columns, events.map(({ offset }) => offset), since]
  return (await database.query<{ is_after: boolean | null }>(IS_AFTER, values)).map((row) => row.is_after)
}
