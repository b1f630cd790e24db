import { createCipheriv, createDecipheriv, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import { Refusal } from './errors.ts'
import type { MasterKey } from './master-key.ts'

/**
 * Writes places in a list so that a caller can hand them back and do nothing else with them. Other tenants' volumes
 * show in the place of an event, so it is encrypted; and a changed or foreign one is refused.
 */
export type Cursors = {
  /** `scope` says whose list of what it is. The same place of a scope is always the same text. */
  write(scope: string, place: Buffer): string
  /** @throws Refusal `cursor_invalid`, naming `field`, for a text that was not written for this scope. */
  read(scope: string, cursor: string, field: string): Buffer
}

const ivLength = 16

/**
 * Deterministic authenticated encryption as Rogaway and Shrimpton compose it (SIV, eprint 2006/221): the IV is a keyed
 * digest of scope and place, and is checked again after decryption. A random nonce would run out: every event that is
 * streamed carries a cursor.
 */
export function createCursors(masterKey: MasterKey): Cursors {
  const digestKey = masterKey.derive('cursor/digest')
  const cipherKey = masterKey.derive('cursor/cipher')
  return {
    write(scope, place) {
      const iv = ivOf(digestKey, scope, place)
      return Buffer.concat([iv, createCipheriv('aes-256-ctr', cipherKey, iv).update(place)]).toString('base64url')
    },
    read(scope, cursor, field) {
      const box = Buffer.from(cursor, 'base64url')
      const iv = box.subarray(0, ivLength)
      // Base64 of other spellings decodes too; one place has one text.
      if (iv.length === ivLength && box.toString('base64url') === cursor) {
        const place = createDecipheriv('aes-256-ctr', cipherKey, iv).update(box.subarray(ivLength))
        if (timingSafeEqual(iv, ivOf(digestKey, scope, place))) return place
      }
      throw new Refusal('cursor_invalid', { field, detail: `${field} must be passed on as it was answered` })
    },
  }
}

function ivOf(key: KeyObject, scope: string, place: Buffer): Buffer {
  const hmac = createHmac('sha256', key).update(`${Buffer.byteLength(scope)}:${scope}`)
  return hmac.update(place).digest().subarray(0, ivLength)
}
