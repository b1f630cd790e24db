import { statement } from './database.ts'

/**
 * The key of each wanted subject: the one it has, else the one brought along, which then need not be
 * sent back. Rows go in sorted, so that two processes wanting the same subjects wait for each other and
 * never deadlock. A subject whose row another process commits meanwhile is in neither half, because the
 * snapshot is older: ask again. The lateral with its limit pins the index: as a plain join, planned while
 * the table was small, it read the whole table (216 µs a key at 80,000 rows; this way 16).
 */
export const currentKeys = statement(
  'vault.current_keys',
  `with wanted as materialized (
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) as w (tenant, subject, key_id, wrapped)
   ), made as (
     insert into vault.data_key (key_id, tenant, subject, wrapped, created_at)
     select key_id, tenant, subject, wrapped, $5::timestamptz
     from wanted
     order by subject, tenant
     on conflict (subject, tenant) do nothing
     returning key_id, tenant, subject
   )
   select true as is_made, key_id, tenant, subject, null::bytea as wrapped
   from made
   union all
   select false, known.key_id, known.tenant, known.subject, known.wrapped
   from wanted
   cross join lateral (
     select k.key_id, k.tenant, k.subject, k.wrapped
     from vault.data_key k
     where k.tenant = wanted.tenant and k.subject = wanted.subject
     limit 1
   ) known`,
)

export const keysById = statement(
  'vault.keys_by_id',
  `select key_id, tenant, subject, wrapped
   from vault.data_key
   where key_id = any($1::text[])`,
)

/** Waits for a process that is just making the subject's key; without one, leaves a destroyed key in its place. */
export const buryKey = statement(
  'vault.bury_key',
  `insert into vault.data_key (key_id, tenant, subject, wrapped, created_at, destroyed_at)
   values ($1, $2, $3, null, $4, $4)
   on conflict (tenant, subject) do nothing`,
)

/** A statement of its own after `buryKey`: only a new snapshot sees the key that one waited for. */
export const destroyKeys = statement(
  'vault.destroy_keys',
  `update vault.data_key
   set wrapped = null, destroyed_at = $3
   where tenant = $1 and subject = $2 and wrapped is not null
   returning key_id`,
)

export const registerErasure = statement(
  'vault.register_erasure',
  `insert into vault.erasure (tenant, subject, erased_at)
   values ($1, $2, $3)
   on conflict (tenant, subject) do nothing`,
)

export const proposeAnswer = statement(
  'vault.propose_answer',
  `insert into vault.master_key (answer)
   values ($1)
   on conflict (singleton) do nothing`,
)

export const knownAnswer = statement('vault.known_answer', 'select answer from vault.master_key')
