import type { KeyObject } from 'node:crypto'
import { batched } from './batched.ts'
import { createBoundedCache } from './bounded-cache.ts'
import type { Clock } from './clock.ts'
import type { Database, Tx } from './database.ts'
import { plainDigest } from './digest.ts'
import type { ErasureRegister } from './erasure-register.ts'
import { invariant } from './invariant.ts'
import { createKeyDerivation, type DataKeyRow, type StoredKey } from './key-derivation.ts'
import type { MasterKey } from './master-key.ts'
import type { Random } from './random.ts'
import { bringKeys, destroyKeys, holdBack, keysById, registerErasure } from './vault-sql.ts'

/** Whose data it is: `person:<digest>`, `payment:<id>` while the person is not known, `secret:<id>` of the installation. */
export type Subject = { readonly tenant: string; readonly subject: string }

/** A key to seal with. Until it is stored, its row has to be written together with what was sealed under it. */
export type DataKey = { readonly id: string; readonly key: KeyObject; readonly row: DataKeyRow; isStored: boolean }

export type DataKeys = {
  forSealing(subject: Subject): DataKey
  /** By id; undefined where the key was destroyed. */
  byId(ids: readonly string[]): Promise<Map<string, KeyObject | undefined>>
  erase(subject: Subject): Promise<number>
}

/** Without a key where it was destroyed. */
type Opened = { readonly key: KeyObject | undefined }

export type DataKeysOptions = {
  masterKey: MasterKey
  database: Database
  random: Random
  clock: Clock
  /** Told of an erasure before it is made; what it has taken outlives the database. Absent: erasures live as long as it. */
  erasures?: ErasureRegister | undefined
}

export const dataKeyLimits = {
  /** About 300 bytes each. */
  entriesMax: 20_000,
  /** One statement looks so many up. */
  loadedAtOnceMax: 500,
  /** How long another process may go on opening what was erased. */
  ageMaxMs: 5_000,
  /** A subject that comes back after this long gets another key beside the one it has. */
  sealingAgeMaxMs: 3_600_000,
  /** How long an erasure keeps those waiting who bring keys, and how often it tries: longer than any of them may take. */
  holdBackMs: 50,
  holdBacksMax: 100,
} as const

/**
 * A subject may have many keys: whoever seals makes one, and asks nobody. That a subject was erased is seen by the
 * statement that stores the key: it keeps the row and drops the key.
 */
export function createDataKeys({ masterKey, database, random, clock, erasures: register }: DataKeysOptions): DataKeys {
  const derivation = createKeyDerivation(masterKey, random)
  const { entriesMax, sealingAgeMaxMs } = dataKeyLimits
  const sealing = createBoundedCache<DataKey>(clock, { entriesMax, ageMaxMs: sealingAgeMaxMs })
  const opening = createBoundedCache<Opened>(clock, dataKeyLimits)
  const load = batched(dataKeyLimits.loadedAtOnceMax, loadById)
  /** Grows with every erasure here: what was read before one is not cached after it. */
  let erasures = 0

  return { forSealing, byId, erase }

  function forSealing(subject: Subject): DataKey {
    const name = nameOf(subject)
    const known = sealing.get(name)
    if (known) return known
    checkSubject(subject)
    const { key, row } = derivation.make(prefixOf(subject), subject, clock.now())
    const made = { id: row.key_id, key, row, isStored: false }
    sealing.set(name, made, clock.monotonicMs())
    return made
  }

  async function byId(ids: readonly string[]): Promise<Map<string, KeyObject | undefined>> {
    const keys = new Map<string, KeyObject | undefined>()
    for (const id of ids) {
      const cached = opening.get(id)
      if (cached) keys.set(id, cached.key)
    }
    const missing = [...new Set(ids)].filter((id) => !keys.has(id))
    const loaded = await Promise.all(missing.map(load))
    for (const [index, id] of missing.entries()) {
      const found = loaded[index]
      // A destroyed key keeps its row: one without was never made here, and that is not an erasure.
      invariant(found, `the data key ${id} is in the vault`)
      keys.set(id, found.key)
    }
    return keys
  }

  async function loadById(ids: readonly string[]): Promise<(Opened | undefined)[]> {
    const [loadedAtMs, before] = [clock.monotonicMs(), erasures]
    const rows = await database.query<StoredKey>(keysById, [ids])
    const keys = new Map(rows.map((row): [string, Opened] => [row.key_id, { key: derivation.restore(row) }]))
    if (erasures === before) for (const [id, opened] of keys) opening.set(id, opened, loadedAtMs)
    return ids.map((id) => keys.get(id))
  }

  async function erase(subject: Subject): Promise<number> {
    checkSubject(subject)
    const at = clock.now()
    // First: were the keys gone and the register without a word of it, a restore would bring them back.
    await register?.record({ ...subject, at })
    try {
      const destroyed = await destroy(database, subject, at)
      for (const id of destroyed) opening.delete(id)
      return destroyed.length
    } finally {
      // After a lost connection too: the commit may have happened.
      erasures += 1
      sealing.delete(nameOf(subject))
    }
  }
}

/** Writes the keys that are not stored yet, in the transaction of what was sealed under them. */
export async function storeKeys(tx: Tx, keys: readonly Pick<DataKey, 'row'>[]): Promise<void> {
  const rows = keys.map(({ row }) => row)
  await tx.query(bringKeys, [
    rows.map((row) => row.key_id),
    rows.map(({ tenant }) => tenant),
    rows.map(({ subject }) => subject),
    rows.map(({ salt }) => salt),
    rows.map(({ created_ms }) => created_ms),
  ])
}

/** Ids of the keys destroyed; those that other processes are just storing are waited for and destroyed too. */
export async function destroy(database: Database, subject: Subject, now: number): Promise<string[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await destroyOnce(database, subject, now)
    } catch (error) {
      if (attempt === dataKeyLimits.holdBacksMax || !isLockTimeout(error)) throw error
    }
  }
}

function destroyOnce(database: Database, subject: Subject, now: number): Promise<string[]> {
  return database.transaction({ lockTimeoutMs: dataKeyLimits.holdBackMs }, async (tx) => {
    await tx.query(holdBack)
    const at = new Date(now)
    const prefix = prefixOf(subject)
    const rows = await tx.query<{ key_id: string }>(destroyKeys, [prefix, subject.tenant, subject.subject, at])
    await tx.query(registerErasure, [subject.tenant, subject.subject, at])
    return rows.map((row) => row.key_id)
  })
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03'
}

/** What the ids of a subject's keys begin with, so that the one index of the vault finds them all. */
function prefixOf({ tenant, subject }: Subject): string {
  return plainDigest('data-key', tenant, subject).slice(0, 16)
}

function nameOf({ tenant, subject }: Subject): string {
  return `${tenant}\n${subject}`
}

/** The subject is stored as it is, so nothing that could be a person's own words gets this far. */
function checkSubject({ tenant, subject }: Subject): void {
  invariant(/^[A-Za-z0-9_-]{1,64}$/.test(tenant), 'a tenant is named by up to 64 letters, digits, _ and -')
  invariant(/^[a-z]+:[A-Za-z0-9_]{1,128}$/.test(subject), 'a subject is its kind and a digest or id')
}
