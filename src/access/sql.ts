import { type Database, statement } from '#kernel/database'

export type ApiKeyRow = { hash: string; id: string; tenant: string; mode: string; version: string }

const VALID_KEYS = statement(
  'access.valid_keys',
  'select hash, id, tenant, mode, version from access.api_key where revoked_at is null',
)
export function validKeys(database: Database): Promise<ApiKeyRow[]> {
  return database.query<ApiKeyRow>(VALID_KEYS)
}

const ALL_KEYS = statement(
  'access.all_keys',
  'select id, tenant, mode, version, created_at, revoked_at from access.api_key order by created_at, id',
)
export type ApiKeyView = {
  id: string
  tenant: string
  mode: string
  version: string
  created_at: Date
  revoked_at: Date | null
}
export function allKeys(database: Database): Promise<ApiKeyView[]> {
  return database.query<ApiKeyView>(ALL_KEYS)
}

const ADD_TENANT = statement(
  'access.add_tenant',
  'insert into access.tenant (id, created_at) values ($1, log.now()) on conflict do nothing',
)
const ADD_KEY = statement(
  'access.add_key',
  'insert into access.api_key (hash, id, tenant, mode, version, created_at) values ($1, $2, $3, $4, $5, log.now())',
)
export async function addKey(database: Database, { hash, id, tenant, mode, version }: ApiKeyRow): Promise<void> {
  await database.transaction({}, async (tx) => {
    await tx.query(ADD_TENANT, [tenant])
    await tx.query(ADD_KEY, [hash, id, tenant, mode, version])
  })
}

const REVOKE = statement(
  'access.revoke',
  'update access.api_key set revoked_at = log.now() where id = $1 and revoked_at is null returning id',
)
/** Whether there was such a key. */
export async function revokeKey(database: Database, id: string): Promise<boolean> {
  return (await database.query(REVOKE, [id])).length > 0
}
