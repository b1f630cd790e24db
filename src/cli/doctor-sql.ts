import { type Database, statement } from '#kernel/database'

const SERVER = statement(
  'doctor.server',
  `select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
     current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
     current_setting('synchronous_commit') as synchronous_commit, current_setting('data_checksums') as data_checksums,
     current_setting('transaction_timeout') as transaction_timeout, pg_is_in_recovery() as is_standby,
     current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - current_setting('reserved_connections')::int as connections,
     (select count(*)::int from pg_stat_activity
      where backend_type = 'client backend' and application_name not like 'millrace %') as others,
     (select rolconnlimit from pg_roles where rolname = current_user) as role_limit,
     (select datconnlimit from pg_database where datname = current_database()) as database_limit`,
)
export type Server = {
  version: string
  number: number
  fsync: string
  full_page_writes: string
  synchronous_commit: string
  data_checksums: string
  transaction_timeout: string
  is_standby: boolean
  connections: number
  others: number
  role_limit: number
  database_limit: number
}
export async function serverOf(database: Database): Promise<Server | undefined> {
  return (await database.query<Server>(SERVER))[0]
}

const IS_PREPARED = statement('doctor.is_prepared', `select to_regclass('millrace.migration') is not null as is_so`)
export async function isPrepared(database: Database): Promise<boolean> {
  return (await database.query<{ is_so: boolean }>(IS_PREPARED))[0]?.is_so === true
}

const APPLIED = statement('doctor.applied', 'select schema, file, checksum from millrace.migration order by 1, 2')
export function appliedMigrations(database: Database) {
  return database.query<{ schema: string; file: string; checksum: string }>(APPLIED)
}

const GRANTS = statement(
  'doctor.grants',
  `select w.role, w.schema, r.oid is not null as is_there,
     case when r.oid is not null then pg_has_role(current_user, r.oid, 'set') end as is_ours,
     case when r.oid is not null then has_schema_privilege(r.oid, 'log', 'usage') end as opens_log,
     case when r.oid is not null then (
       select count(*)::int from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = w.schema and c.relkind = 'r' and not (has_schema_privilege(r.oid, n.oid, 'usage')
         and has_table_privilege(r.oid, c.oid, 'select') and has_table_privilege(r.oid, c.oid, 'insert')
         and has_table_privilege(r.oid, c.oid, 'update') and has_table_privilege(r.oid, c.oid, 'delete'))
     ) end as closed
   from unnest($1::text[], $2::text[]) as w (role, schema) left join pg_roles r on r.rolname = w.role
   order by w.role`,
)
export type Grant = {
  role: string
  schema: string
  is_there: boolean
  is_ours: boolean | null
  opens_log: boolean | null
  closed: number | null
}
export function grantsOf(database: Database, roles: readonly { role: string; schema: string }[]): Promise<Grant[]> {
  return database.query<Grant>(GRANTS, [roles.map(({ role }) => role), roles.map(({ schema }) => schema)])
}

const NOW = statement('doctor.now', 'select extract(epoch from log.now())::float8 * 1000 as now')
/** Unix milliseconds, by the database's clock. */
export async function databaseNow(database: Database): Promise<number> {
  return (await database.query<{ now: number }>(NOW))[0]?.now ?? Number.NaN
}

const MARK = statement('doctor.mark', `select set_config('millrace.doctor', $1, false)`)
const MARKED = statement('doctor.marked', `select current_setting('millrace.doctor', true) as mark`)
export const sessionMark = { set: MARK, get: MARKED }

const LIVING = statement(
  'doctor.living',
  'select count(distinct process)::int as n from log.member where expires_at > log.now()',
)
/** Processes whose heartbeat is not older than their leases. */
export async function livingProcesses(database: Database): Promise<number> {
  return (await database.query<{ n: number }>(LIVING))[0]?.n ?? 0
}

const ORPHANS = statement(
  'doctor.orphans',
  `select l.grp as "group", count(*)::int as partitions from log.lease l
   where (l.owner is null or l.expires_at < log.now() - interval '5 s')
     and exists (select from log.member m where m.grp = l.grp and m.expires_at > log.now())
   group by l.grp order by l.grp`,
)
/** Partitions that nobody works on though processes live that could. */
export function orphanedPartitions(database: Database) {
  return database.query<{ group: string; partitions: number }>(ORPHANS)
}

const NEXT_UNREAD = statement(
  'doctor.next_unread',
  `select k.grp as "group", k.partition, r.type, (r.event::json ->> 'version')::int as version
   from log.checkpoint k
   join log.record r on r.topic = k.topic and r.partition = k.partition and r."offset" = k.next_offset`,
)
/** What each group reads next of each partition. */
export function nextUnread(database: Database) {
  return database.query<{ group: string; partition: number; type: string; version: number }>(NEXT_UNREAD)
}

const PARKED = statement(
  'doctor.parked',
  `select grp as "group", count(*)::int as keys, count(retry_requested_at)::int as requested,
     extract(epoch from log.now() - min(parked_at))::float8 as seconds,
     extract(epoch from log.now() - min(retry_requested_at))::float8 as requested_seconds
   from log.parked_key group by grp order by grp`,
)
export type ParkedKeys = {
  group: string
  keys: number
  requested: number
  seconds: number
  requested_seconds: number | null
}
export function parkedKeys(database: Database): Promise<ParkedKeys[]> {
  return database.query<ParkedKeys>(PARKED)
}

const OVERDUE = statement(
  'doctor.overdue',
  `select count(*)::int as timers, extract(epoch from log.now() - min(due_at))::float8 as seconds
   from log.timer where fired_at is null and due_at < log.now() - interval '30 s'`,
)
export async function overdueTimers(database: Database): Promise<{ timers: number; seconds: number | null }> {
  const [row] = await database.query<{ timers: number; seconds: number | null }>(OVERDUE)
  return row ?? { timers: 0, seconds: null }
}

const VERIFIED = statement(
  'doctor.verified',
  `select findings, entries, extract(epoch from log.now() - verified_at)::float8 as seconds
   from log.verification order by sequence desc limit 1`,
)
export async function lastVerification(database: Database) {
  return (await database.query<{ findings: number; entries: bigint; seconds: number }>(VERIFIED))[0]
}

const NOTE = statement(
  'doctor.note_verification',
  'insert into log.verification (verified_at, entries, findings) values (log.now(), $1, $2)',
)
export async function noteVerification(
  database: Database,
  about: { entries: bigint; findings: number },
): Promise<void> {
  await database.query(NOTE, [about.entries, about.findings])
}

const DELIVERIES = statement(
  'doctor.deliveries',
  `select h.destination,
     count(*) filter (where h.ready_at = 'infinity')::int as held,
     count(*) filter (where d.attempts >= 5 and h.ready_at < 'infinity')::int as failing,
     count(*) filter (where h.ready_at < log.now() - interval '1 min')::int as waiting,
     extract(epoch from log.now() - min(d.first_attempt_at) filter (where d.attempts >= 5))::float8 as seconds
   from delivery.head h join delivery.delivery d on d.id = h.delivery_id
   group by h.destination order by h.destination`,
)
export type Destination = {
  destination: string
  /** Keys whose next delivery waits for a person. */
  held: number
  /** Keys whose next delivery has failed five times and more. */
  failing: number
  /** Keys whose next delivery should have been tried for a minute. */
  waiting: number
  seconds: number | null
}
export function troubledDestinations(database: Database): Promise<Destination[]> {
  return database.query<Destination>(DELIVERIES)
}

const ENDPOINTS = statement(
  'doctor.endpoints',
  `select id, status, reason, extract(epoch from log.now() - coalesce(disabled_at, failing_since))::float8 as seconds
   from webhooks.endpoint
   where (status = 'disabled' and reason <> 'by_hand') or (status = 'enabled' and failing_since is not null)
   order by id limit 100`,
)
export type Endpoint = { id: string; status: string; reason: string | null; seconds: number }
export function troubledEndpoints(database: Database): Promise<Endpoint[]> {
  return database.query<Endpoint>(ENDPOINTS)
}

const SLOTS = statement(
  'doctor.slots',
  `select slot_name as name, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8 as bytes
   from pg_replication_slots where not active and not pg_is_in_recovery() order by 1`,
)
/** Replication slots that nobody reads, and how much WAL each keeps on the disk. */
export function idleSlots(database: Database) {
  return database.query<{ name: string; bytes: number }>(SLOTS)
}

const ARCHIVER = statement(
  'doctor.archiver',
  `select failed_count::int as failed,
     coalesce(last_failed_time > last_archived_time, last_failed_time is not null) as is_failing
   from pg_stat_archiver`,
)
export async function archiverOf(database: Database) {
  return (await database.query<{ failed: number; is_failing: boolean }>(ARCHIVER))[0]
}

const UNARCHIVED = statement(
  'doctor.unarchived',
  `select extract(epoch from log.now() - min(r.time))::float8 as seconds
   from log.partition p
   cross join lateral (
     select coalesce(max(s.end_offset), 0) as next from log.segment s
     where s.topic = p.topic and s.partition = p.partition
   ) a
   join log.record r on r.topic = p.topic and r.partition = p.partition and r."offset" = a.next`,
)
/** Age of the oldest event that no segment of the archive has, in seconds. */
export async function oldestUnarchived(database: Database): Promise<number | null> {
  return (await database.query<{ seconds: number | null }>(UNARCHIVED))[0]?.seconds ?? null
}
