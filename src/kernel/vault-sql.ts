import { statement } from './database.ts'

export const bringKeys = statement(
  'vault.bring_keys',
  'select vault.bring_keys($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[])',
)

export const keysById = statement(
  'vault.keys_by_id',
  `select key_id, tenant, salt
   from vault.data_key
   where key_id = any($1::text[])`,
)

/** Waits for those who are just bringing keys, and keeps others from it until the commit. */
export const holdBack = statement('vault.hold_back', "select pg_advisory_xact_lock(hashtext('vault.data_key'))")

/** A statement of its own after `holdBack`: only a new snapshot sees the keys that one waited for. */
export const destroyKeys = statement(
  'vault.destroy_keys',
  `update vault.data_key
   set salt = null, destroyed_at = $4
   where key_id >= $1 and key_id < $1 || '~' and tenant = $2 and subject = $3 and salt is not null
   returning key_id`,
)

export const registerErasure = statement(
  'vault.register_erasure',
  `insert into vault.erasure (tenant, subject, erased_at)
   values ($1, $2, $3)
   on conflict (tenant, subject) do nothing`,
)

export const allErasures = statement(
  'vault.all_erasures',
  'select tenant, subject, erased_at from vault.erasure order by erased_at, tenant, subject',
)

/** Of the erasures given those that the database does not know of, each once. */
export const missingErasures = statement(
  'vault.missing_erasures',
  `select w.tenant, w.subject, min(w.erased_at) as erased_at
   from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (tenant, subject, erased_at)
   where not exists (select from vault.erasure e where e.tenant = w.tenant and e.subject = w.subject)
   group by w.tenant, w.subject`,
)

export const proposeAnswer = statement(
  'vault.propose_answer',
  `insert into vault.master_key (answer)
   values ($1)
   on conflict (singleton) do nothing`,
)

export const knownAnswer = statement('vault.known_answer', 'select answer from vault.master_key')
