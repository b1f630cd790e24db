import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { base32 } from './digest.ts'
import type { MasterKey } from './master-key.ts'
import type { Random } from './random.ts'

/** A data key as the vault keeps it: the salt it is derived from, null once it is destroyed. */
export type StoredKey = { readonly key_id: string; readonly tenant: string; readonly salt: Buffer | null }

/** A new data key on its way into the vault, its salt in hexadecimal. */
export type DataKeyRow = {
  readonly key_id: string
  readonly tenant: string
  readonly subject: string
  readonly salt: string
  /** Unix milliseconds. */
  readonly created_ms: number
}

export type KeyDerivation = {
  /** A new key for a subject; its id begins with the 16 characters given. */
  make(
    prefix: string,
    subject: { tenant: string; subject: string },
    now: number,
  ): { readonly key: KeyObject; readonly row: DataKeyRow }
  /** Undefined where the key was destroyed. */
  restore(row: StoredKey): KeyObject | undefined
}

/** Of an id's 26 characters, those that are chance: 50 bits beside a prefix that is the subject's own. */
const CHANCE_LENGTH = 10
const SALT_BYTES = 32

/**
 * A data key is HMAC-SHA256 of 256 random bits, its id and its tenant under a key derived from the master key: nobody
 * has it without both, and nobody, we included, has it again once the random bits are destroyed. A key derivation as in
 * NIST SP 800-108r1; wrapping a random key with AES-GCM costs twice as much, and may be done 2^32 times only.
 */
export function createKeyDerivation(masterKey: MasterKey, random: Random): KeyDerivation {
  const root = masterKey.derive('data-keys')
  const keyOf = (keyId: string, tenant: string, salt: Buffer): KeyObject =>
    createSecretKey(createHmac('sha256', root).update(salt).update(`${keyId}\n${tenant}`).digest())
  return {
    make: (prefix, { tenant, subject }, now) => {
      // One call for both: the system's source costs 3 µs a call, whatever the length.
      const chance = random.bytes(7 + SALT_BYTES)
      const keyId = prefix + base32(chance.subarray(0, 7), CHANCE_LENGTH)
      const salt = chance.subarray(7)
      const row = { key_id: keyId, tenant, subject, salt: salt.toString('hex'), created_ms: now }
      return { key: keyOf(keyId, tenant, salt), row }
    },
    restore: ({ key_id, tenant, salt }) => (salt === null ? undefined : keyOf(key_id, tenant, salt)),
  }
}
