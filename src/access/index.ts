import { createHash } from 'node:crypto'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { brandId, type Mode, type TenantId } from '#kernel/ids'
import type { Random } from '#kernel/random'
import type { Module } from '#log'
import * as sql from './sql.ts'

export { createCallers, VERSION_HEADER } from './callers.ts'

/** Who is asking: what every request is done in the name of. */
export type Caller = {
  readonly tenant: TenantId
  readonly mode: Mode
  readonly keyId: string
  /** Of the API, which the request wants to be spoken to in. */
  readonly version: string
}

/** The date of the newest shape of the API; a key keeps the one it was made with. */
export const CURRENT_VERSION = '2026-11-21'

/** A revoked key stops working, and a new one starts, within this time. */
export const KEYS_SEEN_WITHIN_MS = 2_000

export const access: Module = {
  name: 'access',
  summary: 'Tenants, and the API keys that speak for them.',
  events: [],
  migrations: new URL('./migrations/', import.meta.url),
}

/** The keys as a process has to know them that cannot ask the database: without the keys themselves. */
export type KeySnapshot = {
  keep(rows: readonly KeyRow[]): Promise<void>
  /** Undefined where there is none, or none that may be used any more. */
  read(): Promise<readonly KeyRow[] | undefined>
}
export type KeyRow = sql.ApiKeyRow

export type KeyRing = {
  /** Who the key belongs to, from memory: no request waits for the database to be known. */
  find(apiKey: string): Caller | undefined
  refresh(): Promise<void>
  /** Takes the keys of the snapshot; whether there was one. */
  restore(): Promise<boolean>
  /** Refreshes every two seconds until the returned function is called. */
  keepFresh(clock: Clock): () => Promise<void>
}

export function createKeyRing(database: Database, snapshot?: KeySnapshot): KeyRing {
  let ring = new Map<string, Caller>()
  const take = (rows: readonly KeyRow[]): void => {
    ring = new Map(rows.map((row) => [row.hash, callerOf(row)]))
  }
  const refresh = async (): Promise<void> => {
    const rows = await sql.validKeys(database)
    take(rows)
    await snapshot?.keep(rows)
  }
  return {
    find: (apiKey) => ring.get(hashOf(apiKey)),
    refresh,
    async restore() {
      const rows = await snapshot?.read()
      if (rows) take(rows)
      return rows !== undefined
    },
    keepFresh(clock) {
      const stopping = new AbortController()
      const run = async (): Promise<void> => {
        while (!stopping.signal.aborted) {
          await clock.sleep(KEYS_SEEN_WITHIN_MS, stopping.signal)
          // With the database away the keys known last go on working.
          if (!stopping.signal.aborted) await refresh().catch(() => {})
        }
      }
      const done = run()
      return async () => {
        stopping.abort()
        await done
      }
    },
  }
}

/** Makes a key and returns it: the only time it can be read. */
export async function issueApiKey(
  database: Database,
  random: Random,
  about: { tenant: string; mode: Mode; version?: string },
): Promise<string> {
  const apiKey = `mr_${about.mode}_${random.bytes(24).toString('base64url')}`
  await sql.addKey(database, {
    version: CURRENT_VERSION,
    ...about,
    hash: hashOf(apiKey),
    id: `key_${random.bytes(8).toString('hex')}`,
  })
  return apiKey
}

export function revokeApiKey(database: Database, id: string): Promise<boolean> {
  return sql.revokeKey(database, id)
}

/** Every key there is or was, without the key itself. */
export function listApiKeys(database: Database): Promise<sql.ApiKeyView[]> {
  return sql.allKeys(database)
}

/** Not a password hash: the key is 192 bits of chance, which nobody guesses. */
function hashOf(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('hex')
}

function callerOf({ id, tenant, mode, version }: sql.ApiKeyRow): Caller {
  return { keyId: id, tenant: brandId<TenantId>(tenant), mode: mode === 'live' ? 'live' : 'test', version }
}
