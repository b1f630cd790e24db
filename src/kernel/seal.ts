import { createDataKeys, type DataKey, type DataKeysOptions, type Subject } from './data-keys.ts'
import type { Database } from './database.ts'
import { createDigest, type Digest } from './digest.ts'
import { UsageError } from './errors.ts'
import { invariant } from './invariant.ts'
import { createKeyDerivation, type DataKeyRow } from './key-derivation.ts'
import type { MasterKey } from './master-key.ts'
import { decrypt, encrypt } from './seal-cipher.ts'
import { knownAnswer, proposeAnswer } from './vault-sql.ts'

export { type DataKey, type Subject, storeKeys } from './data-keys.ts'

export type Seal = {
  readonly digest: Digest
  /**
   * A data key of the subject. One that is not stored yet travels with what it seals, and `storeKeys` writes both in
   * one transaction. What is sealed for an erased subject can never be opened.
   */
  dataKey(subject: Subject): DataKey
  /** `s1.<key id>.<base64url>`; opens only with the same context (event field path and tenant). */
  seal(key: DataKey, plain: string | Buffer, context: string): string
  /** The same as bytes, for what is kept as bytes: `s1.<key id>.`, and what was sealed. */
  sealBytes(key: DataKey, plain: Buffer, context: string): Buffer
  /** In order; undefined where the key was destroyed. Rejects when a text was changed or is out of its context. */
  open(sealed: readonly (string | Buffer)[], context: string): Promise<(Buffer | undefined)[]>
  /** The same for what came with its data keys, which the vault may not have yet. */
  openBrought(rows: readonly DataKeyRow[], sealed: string, context: string): Buffer | undefined
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
  const derivation = createKeyDerivation(options.masterKey, options.random)
  return {
    digest,
    dataKey: keys.forSealing,
    seal: (key, plain, context) =>
      `s1.${key.id}.${encrypt(key.key, options.random, plain, context).toString('base64url')}`,
    sealBytes: (key, plain, context) => encrypt(key.key, options.random, plain, context, `s1.${key.id}.`),
    open: async (sealed, context) => {
      const parts = sealed.map(partsOf)
      const found = await keys.byId(parts.map(({ keyId }) => keyId))
      return parts.map(({ keyId, box }) => {
        const key = found.get(keyId)
        return key && decrypt(key, box, context)
      })
    },
    openBrought(rows, sealed, context) {
      const { keyId, box } = partsOf(sealed)
      const row = rows.find(({ key_id }) => key_id === keyId)
      const key = row && derivation.restore({ ...row, salt: Buffer.from(row.salt, 'hex') })
      return key && decrypt(key, box, context)
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

/** Whether bytes have the shape that `sealBytes` gives them. */
export function isSealedBytes(bytes: Buffer): boolean {
  return sealedHead.test(bytes.toString('latin1', 0, 30))
}

const sealedHead = /^s1\.[0-9a-z]{26}\.$/

function partsOf(sealed: string | Buffer): { keyId: string; box: Buffer } {
  const isWhole = typeof sealed === 'string' ? isSealed(sealed) : isSealedBytes(sealed)
  invariant(isWhole, 'what is opened has the shape of what was sealed')
  if (typeof sealed !== 'string') return { keyId: sealed.toString('latin1', 3, 29), box: sealed.subarray(30) }
  return { keyId: sealed.slice(3, 29), box: Buffer.from(sealed.slice(30), 'base64url') }
}

/** What a master key answers to a fixed question: which one it is, and nothing about it. */
export function masterKeyAnswer(masterKey: MasterKey): string {
  return answerOf(createDigest(masterKey))
}

function answerOf(digest: Digest): string {
  return digest('master-key-check')
}

async function checkMasterKey(database: Database, digest: Digest): Promise<void> {
  const answer = answerOf(digest)
  await database.query(proposeAnswer, [answer])
  const [known] = await database.query<{ answer: string }>(knownAnswer)
  if (known?.answer !== answer) {
    throw new UsageError('The master key is not the one this database was made with; restore its backup.')
  }
}
