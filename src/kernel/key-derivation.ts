import { createSecretKey, type KeyObject } from 'node:crypto'
import { base32 } from './digest.ts'
import type { MasterKey } from './master-key.ts'
import type { Random } from './random.ts'
import { decrypt, encrypt } from './seal-cipher.ts'

/** A data key as the vault keeps it; `wrapped` is null once it is destroyed. */
export type WrappedKey = { key_id: string; tenant: string; subject: string; wrapped: Buffer | null }

export type KeyWrapping = {
  newId(): string
  /** A new key for a subject, and its row with the key wrapped, hexadecimal as JSON for PostgreSQL wants it. */
  candidate(subject: { tenant: string; subject: string }): { key: KeyObject; row: CandidateRow }
  unwrap(row: WrappedKey): KeyObject | undefined
  /** A key that exists in memory only. */
  throwaway(): KeyObject
}

type CandidateRow = Omit<WrappedKey, 'wrapped'> & { wrapped: string }

/**
 * Data keys lie under keys derived from the master key, each bound to its id and tenant. There are
 * 1,024 of those, by the first two characters of the id: a single one would meet the limit of AES-GCM
 * with random nonces, 2^32 uses, in weeks at three thousand payments a second.
 */
export function createKeyWrapping(masterKey: MasterKey, random: Random): KeyWrapping {
  const wrappingKeys = new Map<string, KeyObject>()
  const keyFor = (keyId: string): KeyObject => {
    const part = keyId.slice(0, 2)
    const key = wrappingKeys.get(part) ?? masterKey.derive(`wrap/${part}`)
    wrappingKeys.set(part, key)
    return key
  }
  return {
    newId: () => base32(random.bytes(17)),
    candidate: ({ tenant, subject }) => {
      // One call for both: the system's source costs 3 µs a call, whatever the length.
      const chance = random.bytes(17 + 32)
      const [keyId, bytes] = [base32(chance), chance.subarray(17)]
      const wrapped = `\\x${encrypt(keyFor(keyId), random, bytes, contextOf(keyId, tenant)).toString('hex')}`
      return { key: createSecretKey(bytes), row: { key_id: keyId, tenant, subject, wrapped } }
    },
    unwrap: ({ key_id, tenant, wrapped }) => {
      if (wrapped === null) return undefined
      return createSecretKey(decrypt(keyFor(key_id), wrapped, contextOf(key_id, tenant)))
    },
    throwaway: () => createSecretKey(random.bytes(32)),
  }
}

function contextOf(keyId: string, tenant: string): string {
  return `data-key\n${keyId}\n${tenant}`
}
