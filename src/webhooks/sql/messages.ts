import { type Database, statement, type Tx } from '#kernel/database'

const LOCK = statement(
  'webhooks.lock_positions',
  `select 1 from webhooks.position p join unnest($1::text[]) as w (endpoint) on p.endpoint = w.endpoint
   order by p.endpoint for update of p`,
)
const RESERVE = statement(
  'webhooks.reserve',
  `with wanted as materialized (
     select w.endpoint, w.count, p.next_sequence as base, p.enqueued - coalesce(s.count, 0) as backlog,
       p.pushed = p.next_sequence - 1 as was_live
     from unnest($1::text[], $2::int[], $3::text[]) as w (endpoint, count, destination)
     join webhooks.position p on p.endpoint = w.endpoint
     left join delivery.settled_of($3) s on s.destination = w.destination
   ), judged as (
     select *, was_live and backlog + count <= $4 as is_live from wanted
   )
   update webhooks.position p
   set next_sequence = p.next_sequence + j.count,
     pushed = case when j.is_live then j.base + j.count - 1 else p.pushed end,
     enqueued = p.enqueued + case when j.is_live then j.count else 0 end
   from judged j where p.endpoint = j.endpoint
   returning p.endpoint, j.base::float8 as base, j.backlog::float8 as backlog, j.was_live, j.is_live, p.round`,
)
export type Reservation = {
  readonly endpoint: string
  /** First of the sequences taken. */
  readonly base: number
  readonly backlog: number
  /** Whether it had been handed all of its stream before; and whether it is now, with these. */
  readonly was_live: boolean
  readonly is_live: boolean
  readonly round: number
}
/**
 * Takes sequences for so many messages of each endpoint. Their rows stay locked to the commit, so that what is reserved
 * is written or was never reserved; they are locked in order first, because an update locks in any.
 */
export async function reserve(
  tx: Tx,
  counts: ReadonlyMap<string, number>,
  about: { readonly destinationOf: (endpoint: string) => string; readonly backlogMax: number },
): Promise<Reservation[]> {
  const endpoints = [...counts.keys()]
  await tx.query(LOCK, [endpoints])
  const destinations = endpoints.map(about.destinationOf)
  return tx.query<Reservation>(RESERVE, [endpoints, [...counts.values()], destinations, about.backlogMax])
}

export type Message = {
  readonly endpoint: string
  readonly sequence: number
  readonly eventId: string
  readonly type: string
  readonly key: string
  readonly payload: string
  readonly traceparent: string
  readonly correlationId: string
}

const WRITE = statement(
  'webhooks.write',
  `with clock as materialized (select log.now() as now)
   insert into webhooks.message (endpoint, sequence, event_id, type, key, payload, traceparent, correlation_id, created_at)
   select endpoint, sequence, event_id, type, key, payload, traceparent, correlation_id, clock.now
   from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
     as m (endpoint, sequence, event_id, type, key, payload, traceparent, correlation_id)
   cross join clock`,
)
export async function write(tx: Tx, messages: readonly Message[]): Promise<void> {
  await tx.query(WRITE, [
    messages.map(({ endpoint }) => endpoint),
    messages.map(({ sequence }) => sequence),
    messages.map(({ eventId }) => eventId),
    messages.map(({ type }) => type),
    messages.map(({ key }) => key),
    messages.map(({ payload }) => payload),
    messages.map(({ traceparent }) => traceparent),
    messages.map(({ correlationId }) => correlationId),
  ])
}

const COLUMNS = `m.endpoint, m.sequence::float8 as sequence, m.event_id as "eventId", m.type, m.key, m.payload, m.traceparent,
  m.correlation_id as "correlationId"`

const LOAD = statement(
  'webhooks.load_messages',
  `select ${COLUMNS} from unnest($1::text[], $2::bigint[]) as w (endpoint, sequence)
   join webhooks.message m on m.endpoint = w.endpoint and m.sequence = w.sequence`,
)
export type MessageRef = { readonly endpoint: string; readonly sequence: number }
/** In order; undefined where there is none. */
export async function loadMessages(database: Database, refs: readonly MessageRef[]): Promise<(Message | undefined)[]> {
  const name = ({ endpoint, sequence }: MessageRef): string => `${endpoint}/${sequence}`
  const values = [refs.map(({ endpoint }) => endpoint), refs.map(({ sequence }) => sequence)]
  const found = new Map((await database.query<Message>(LOAD, values)).map((message) => [name(message), message]))
  return refs.map((ref) => found.get(name(ref)))
}

const AFTER = statement(
  'webhooks.messages_after',
  `select ${COLUMNS} from webhooks.message m where m.endpoint = $1 and m.sequence > $2 order by m.sequence limit $3`,
)
export function messagesAfter(
  database: Pick<Database, 'query'>,
  endpoint: string,
  after: number,
  limit: number,
): Promise<Message[]> {
  return database.query<Message>(AFTER, [endpoint, after, limit])
}

const POSITION = `p.endpoint, (p.next_sequence - 1)::float8 as last, p.pushed::float8 as pushed,
  p.kept_from::float8 as "keptFrom", (p.enqueued - coalesce(s.count, 0))::float8 as backlog, p.round`
const POSITIONS = statement(
  'webhooks.positions',
  `select ${POSITION} from unnest($1::text[], $2::text[]) as w (endpoint, destination)
   join webhooks.position p on p.endpoint = w.endpoint
   left join delivery.settled_of($2) s on s.destination = w.destination`,
)
const LOCKED_POSITION = statement(
  'webhooks.locked_position',
  `select ${POSITION} from webhooks.position p left join delivery.settled_of(array[$2]) s on true
   where p.endpoint = $1 for update of p`,
)
export type Position = {
  readonly endpoint: string
  /** Last sequence written; 0 for none. */
  readonly last: number
  readonly pushed: number
  /** First sequence whose message is kept. */
  readonly keptFrom: number
  readonly backlog: number
  readonly round: number
}
export function positions(
  database: Database,
  endpoints: readonly string[],
  destinationOf: (endpoint: string) => string,
): Promise<Position[]> {
  return database.query<Position>(POSITIONS, [endpoints, endpoints.map(destinationOf)])
}
export async function lockPosition(tx: Tx, endpoint: string, destination: string): Promise<Position | undefined> {
  return (await tx.query<Position>(LOCKED_POSITION, [endpoint, destination]))[0]
}

const BEHIND = statement(
  'webhooks.behind',
  'select endpoint from webhooks.position where pushed < next_sequence - 1 and endpoint = any ($1)',
)
/** Those that have not been handed all of their stream. */
export async function behind(database: Database, endpoints: readonly string[]): Promise<string[]> {
  return (await database.query<{ endpoint: string }>(BEHIND, [endpoints])).map(({ endpoint }) => endpoint)
}

const PUSH = statement(
  'webhooks.push',
  `update webhooks.position set pushed = $2, enqueued = enqueued + $3, round = $4 where endpoint = $1`,
)
/** Only under the position's lock. */
export async function setPushed(
  tx: Tx,
  { endpoint, pushed, added, round }: { endpoint: string; pushed: number; added: number; round: number },
): Promise<void> {
  await tx.query(PUSH, [endpoint, pushed, added, round])
}

const OLD = statement(
  'webhooks.old_streams',
  `select p.endpoint, e.status = 'deleted' as "isDeleted", (
     select max(m.sequence)::float8 from (
       select sequence, created_at from webhooks.message
       where endpoint = p.endpoint and sequence >= p.kept_from order by sequence limit $3
     ) m where m.created_at < log.now() - $2 * interval '1 ms') as "upTo"
   from webhooks.position p join webhooks.endpoint e on e.id = p.endpoint
   where p.endpoint = any ($1) and exists (
     select from webhooks.message m
     where m.endpoint = p.endpoint and m.sequence = p.kept_from and m.created_at < log.now() - $2 * interval '1 ms')`,
)
export type OldStream = { readonly endpoint: string; readonly isDeleted: boolean; readonly upTo: number }
/** Streams that begin with messages older than that, each with how far those go among the first so many. */
export function oldStreams(database: Database, endpoints: readonly string[], olderThanMs: number, first: number) {
  return database.query<OldStream>(OLD, [endpoints, olderThanMs, first])
}

const KEEP_FROM = statement('webhooks.keep_from', 'update webhooks.position set kept_from = $2 where endpoint = $1')
const DROP = statement('webhooks.drop', 'delete from webhooks.message where endpoint = $1 and sequence < $2')
/** Only under the position's lock. */
export async function keepFrom(tx: Tx, endpoint: string, sequence: number): Promise<void> {
  await tx.query(KEEP_FROM, [endpoint, sequence])
  await tx.query(DROP, [endpoint, sequence])
}

const STREAMS = statement('webhooks.streams', 'select endpoint from webhooks.position')
/** All there ever were: a stream outlives its endpoint. */
export async function streams(database: Database): Promise<string[]> {
  return (await database.query<{ endpoint: string }>(STREAMS)).map(({ endpoint }) => endpoint)
}

const WRITTEN_AT = statement(
  'webhooks.written_at',
  `select extract(epoch from created_at)::float8 * 1000 as at from webhooks.message where endpoint = $1 and sequence = $2`,
)
/** When a message was written, in Unix milliseconds. */
export async function writtenAt(database: Database, endpoint: string, sequence: number): Promise<number | undefined> {
  return (await database.query<{ at: number }>(WRITTEN_AT, [endpoint, sequence]))[0]?.at
}
