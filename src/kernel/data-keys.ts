import type { KeyObject } from 'node:crypto'
import { createBatchedLoad } from './batched-load.ts'
import { createBoundedCache } from './bounded-cache.ts'
import type { Clock } from './clock.ts'
import type { Database } from './database.ts'
import { invariant } from './invariant.ts'
import { createKeyWrapping, type KeyWrapping, type WrappedKey } from './key-wrapping.ts'
import type { MasterKey } from './master-key.ts'
import type { Random } from './random.ts'
import { buryKey, currentKeys, destroyKeys, keysById, registerErasure } from './vault-sql.ts'

/** Whose data it is: `person:<digest>`, or `payment:<id>` while the person is not known. */
export type Subject = { readonly tenant: string; readonly subject: string }

export type DataKey = { readonly id: string; readonly key: KeyObject }

export type DataKeys = {
  current(subjects: readonly Subject[]): Promise<DataKey[]>
  /** By id; undefined where the key was destroyed. */
  byId(ids: readonly string[]): Promise<Map<string, KeyObject | undefined>>
  erase(subject: Subject): Promise<number>
}

export type DataKeysOptions = { masterKey: MasterKey; database: Database; random: Random; clock: Clock }

export const dataKeyLimits = {
  /** About 300 bytes each. */
  entriesMax: 20_000,
  /** How long another process may go on opening what was erased, and sealing under a destroyed key. */
  ageMaxMs: 5_000,
  /** One statement creates this many keys at most: some 15 ms of work. */
  batchMax: 1_000,
  /** A subject is asked for again only while other processes race for it; one repetition is enough. */
  attemptsMax: 5,
} as const

type CurrentKey = WrappedKey & { is_made: boolean }

export function createDataKeys({ masterKey, database, random, clock }: DataKeysOptions): DataKeys {
  const wrapping = createKeyWrapping(masterKey, random)
  const forSealing = createBoundedCache<DataKey>(clock, dataKeyLimits)
  const forOpening = createBoundedCache<{ key: KeyObject | undefined }>(clock, dataKeyLimits)
  const loads = createBatchedLoad<Subject, DataKey>({ batchMax: dataKeyLimits.batchMax, nameOf, load: loadCurrent })
  /** Grows with every erasure here: what was read before one is not cached after it. */
  let erasures = 0

  return { current, byId, erase }

  async function current(subjects: readonly Subject[]): Promise<DataKey[]> {
    for (const subject of subjects) checkSubject(subject)
    return Promise.all(subjects.map((subject) => forSealing.get(nameOf(subject)) ?? loads.get(subject)))
  }

  async function loadCurrent(subjects: readonly Subject[]): Promise<Map<string, DataKey>> {
    const [loadedAtMs, before] = [clock.monotonicMs(), erasures]
    const keys = await readOrMake(database, wrapping, subjects, new Date(clock.now()))
    if (erasures === before) for (const [name, key] of keys) forSealing.set(name, key, loadedAtMs)
    return keys
  }

  async function byId(ids: readonly string[]): Promise<Map<string, KeyObject | undefined>> {
    const keys = new Map<string, KeyObject | undefined>()
    for (const id of ids) {
      const cached = forOpening.get(id)
      if (cached) keys.set(id, cached.key)
    }
    const missing = [...new Set(ids)].filter((id) => !keys.has(id))
    if (missing.length > 0) for (const [id, key] of await loadById(missing)) keys.set(id, key)
    return keys
  }

  async function loadById(ids: readonly string[]): Promise<Map<string, KeyObject | undefined>> {
    const [loadedAtMs, before] = [clock.monotonicMs(), erasures]
    const rows = await database.query<WrappedKey>(keysById, [ids])
    const keys = new Map(rows.map((row) => [row.key_id, wrapping.unwrap(row)]))
    // A destroyed key keeps its row: one without was never made here, and that is not an erasure.
    for (const id of ids) invariant(keys.has(id), `the data key ${id} is in the vault`)
    if (erasures === before) for (const [id, key] of keys) forOpening.set(id, { key }, loadedAtMs)
    return keys
  }

  async function erase(subject: Subject): Promise<number> {
    checkSubject(subject)
    try {
      const destroyed = await destroy(database, wrapping.newId(), subject, new Date(clock.now()))
      for (const id of destroyed) forOpening.delete(id)
      return destroyed.length
    } finally {
      // After a lost connection too: the commit may have happened.
      erasures += 1
      forSealing.delete(nameOf(subject))
      loads.forget(nameOf(subject))
    }
  }
}

/** One statement; another only for subjects that a second process made a key for at the same moment. */
async function readOrMake(
  database: Database,
  wrapping: KeyWrapping,
  subjects: readonly Subject[],
  now: Date,
): Promise<Map<string, DataKey>> {
  const keys = new Map<string, DataKey>()
  let missing = subjects
  for (let attempt = 0; missing.length > 0; attempt += 1) {
    invariant(attempt < dataKeyLimits.attemptsMax, 'a subject that has no key gets one')
    const candidates = missing.map(wrapping.candidate)
    const made = new Map(candidates.map(({ row, key }) => [row.key_id, key]))
    const rows = candidates.map(({ row }) => row)
    const columns = [
      rows.map(({ tenant }) => tenant),
      rows.map(({ subject }) => subject),
      rows.map((row) => row.key_id),
      rows.map(({ wrapped }) => wrapped),
    ]
    for (const row of await database.query<CurrentKey>(currentKeys, [...columns, now])) {
      // An erased subject's key is known to this process only: what it seals can never be opened.
      const key = row.is_made ? made.get(row.key_id) : (wrapping.unwrap(row) ?? wrapping.throwaway())
      invariant(key, 'a key that was made is one of those brought along')
      keys.set(nameOf(row), { id: row.key_id, key })
    }
    missing = missing.filter((subject) => !keys.has(nameOf(subject)))
  }
  return keys
}

/** Ids of the keys destroyed. A key that another process is just making is waited for and destroyed too. */
function destroy(database: Database, tombstoneId: string, { tenant, subject }: Subject, now: Date): Promise<string[]> {
  return database.transaction({}, async (tx) => {
    await tx.query(buryKey, [tombstoneId, tenant, subject, now])
    const rows = await tx.query<{ key_id: string }>(destroyKeys, [tenant, subject, now])
    await tx.query(registerErasure, [tenant, subject, now])
    return rows.map((row) => row.key_id)
  })
}

function nameOf({ tenant, subject }: Subject): string {
  return `${tenant}\n${subject}`
}

/** The subject is stored as it is, so nothing that could be a person's own words gets this far. */
function checkSubject({ tenant, subject }: Subject): void {
  invariant(/^[A-Za-z0-9_-]{1,64}$/.test(tenant), 'a tenant is named by up to 64 letters, digits, _ and -')
  invariant(/^[a-z]+:[A-Za-z0-9_]{1,128}$/.test(subject), 'a subject is its kind and a digest or id')
}
