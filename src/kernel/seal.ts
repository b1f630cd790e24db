import { createDataKeys, type DataKey, type DataKeysOptions, type Subject } from './data-keys.ts'
import type { Database } from './database.ts'
import { createDigest, type Digest } from './digest.ts'
import { UsageError } from './errors.ts'
import { invariant } from './invariant.ts'
import { decrypt, encrypt } from './seal-cipher.ts'
import { knownAnswer, proposeAnswer } from './vault-sql.ts'

export type { DataKey, Subject } from './data-keys.ts'

export type Seal = {
  readonly digest: Digest
  /**
   * The data key of each subject, in order, made where missing and committed before it is returned.
   * For an erased subject the key exists in memory only: what it seals can never be opened.
   */
  dataKey(subjects: readonly Subject[]): Promise<DataKey[]>
  /** `s1.<key id>.<base64url>`; opens only with the same context (event field path and tenant). */
  seal(key: DataKey, plain: string | Buffer, context: string): string
  /** In order; undefined where the key was destroyed. Rejects when a text was changed or is out of its context. */
  open(sealed: readonly string[], context: string): Promise<(Buffer | undefined)[]>
  /**
   * Destroys the subject's data keys for good and tells how many there were. Later opens give undefined
   * at once in this process, and within `dataKeyLimits.ageMaxMs` in others. Safe to repeat.
   */
  erase(tenant: string, subject: string): Promise<number>
  /** Refuses a master key that is not the one this database began with: ids and sealed data depend on it. */
  checkMasterKey(): Promise<void>
}

export function createSeal(options: DataKeysOptions): Seal {
  const keys = createDataKeys(options)
  const digest = createDigest(options.masterKey)
  return {
    digest,
    dataKey: keys.current,
    seal: (key, plain, context) =>
      `s1.${key.id}.${encrypt(key.key, options.random, plain, context).toString('base64url')}`,
    open: async (sealed, context) => {
      const parts = sealed.map(partsOf)
      const found = await keys.byId(parts.map(({ keyId }) => keyId))
      return parts.map(({ keyId, box }) => {
        const key = found.get(keyId)
        return key && decrypt(key, box, context)
      })
    },
    erase: (tenant, subject) => keys.erase({ tenant, subject }),
    checkMasterKey: () => checkMasterKey(options.database, digest),
  }
}

/** The shape only: says nothing about who sealed it, so text from outside is always sealed, whatever it looks like. */
export function isSealed(text: string): boolean {
  return sealedText.test(text)
}

/** A nonce and a tag alone are 38 characters. */
const sealedText = /^s1\.[0-9a-z]{26}\.[A-Za-z0-9_-]{38,}$/

function partsOf(sealed: string): { keyId: string; box: Buffer } {
  invariant(isSealed(sealed), 'what is opened has the shape of a sealed text')
  return { keyId: sealed.slice(3, 29), box: Buffer.from(sealed.slice(30), 'base64url') }
}

async function checkMasterKey(database: Database, digest: Digest): Promise<void> {
  const answer = digest('master-key-check')
  await database.query(proposeAnswer, [answer])
  const [known] = await database.query<{ answer: string }>(knownAnswer)
  if (known?.answer !== answer) {
    throw new UsageError('The master key is not the one this database was made with; restore its backup.')
  }
}
