import { type Database, statement, type Tx } from '#kernel/database'
import { invariant } from '#kernel/invariant'

export type AboutServer = {
  readonly now: Date
  readonly version: number
  readonly segmentBytes: number
  readonly database: string
  readonly user: string
  readonly masterKeyAnswer: string | null
}

const ABOUT = statement(
  'backup.about_server',
  `select log.now() as now, current_setting('server_version_num')::int as version,
     (select setting::int from pg_settings where name = 'wal_segment_size') as segment_bytes,
     current_database()::text as database, current_user::text as user, (select answer from vault.master_key) as answer`,
)
/** @throws the database's error where it holds no Millrace. */
export async function about(database: Database): Promise<AboutServer> {
  const [row] = await database.query<{
    now: Date
    version: number
    segment_bytes: number
    database: string
    user: string
    answer: string | null
  }>(ABOUT)
  if (!row) throw new Error('a server says who it is')
  const { segment_bytes: segmentBytes, answer: masterKeyAnswer, ...rest } = row
  return { ...rest, segmentBytes, masterKeyAnswer }
}

// What a database has to forget of the life it had before it was restored or imported. These statements are an operator's,
// not a module's: they run as the owner of everything, before any process works on it.

const LEASES = statement(
  'backup.new_leases',
  `update log.lease
   set owner = null, expires_at = '-infinity',
     epoch = greatest(epoch, (extract(epoch from log.now()) * 1000)::bigint)`,
)
const CHECKPOINTS = statement(
  'backup.new_epochs',
  `update log.checkpoint k set epoch = l.epoch
   from log.lease l
   where l.grp = k.grp and l.partition = k.partition`,
)
const MEMBERS = statement('backup.no_members', 'delete from log.member')
const DOUBTED = statement(
  'backup.doubt_deliveries',
  `with doubted as (
     update delivery.delivery
     set attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, created_at)
     where state = 'pending'
     returning 1
   )
   select count(*)::int as n from doubted`,
)
/**
 * Nobody who worked on the database that was can write to this one: no epoch of theirs is as high as the milliseconds of
 * now. Of every open delivery it is on record that it may have been made: from there on its destination's own
 * idempotency decides whether it is sent, asked about or held. Returns how many those are.
 */
export async function newLife(tx: Tx): Promise<number> {
  await tx.query(LEASES)
  await tx.query(CHECKPOINTS)
  await tx.query(MEMBERS)
  const [row] = await tx.query<{ n: number }>(DOUBTED)
  return row?.n ?? 0
}

const FIRST_ROLE = statement('backup.first_role', 'select rolname::text as name from pg_roles where oid = 10')
/** The superuser that the cluster was made with. */
export async function firstRole(database: Database): Promise<string> {
  const [row] = await database.query<{ name: string }>(FIRST_ROLE)
  invariant(row, 'a cluster has the role it was made with')
  return row.name
}

/** Gives the cluster the superuser and the database name that our own server goes by. */
export async function makeOurs(tx: Tx, { database, password }: { database: string; password: string }): Promise<void> {
  invariant(/^[A-Za-z0-9_-]+$/.test(password), 'a password of ours needs no quoting')
  await tx.script(
    `do $$ begin
       if not exists (select from pg_roles where rolname = 'postgres') then create role postgres; end if;
     end $$;
     alter role postgres superuser login password '${password}'`,
  )
  if (database === 'postgres') return
  await tx.script(
    `do $$ begin
       if exists (select from pg_database where datname = 'postgres') then
         alter database postgres rename to postgres_before_restore;
       end if;
     end $$;
     alter database ${identifier(database)} rename to postgres`,
  )
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
