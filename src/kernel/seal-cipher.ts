import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { invariant } from './invariant.ts'
import type { Random } from './random.ts'

const algorithm = 'aes-256-gcm'
const nonceLength = 12
const tagLength = 16

/**
 * head ‖ nonce ‖ ciphertext ‖ tag. The nonce is random: with 96 bits a key may seal billions of texts before
 * a repeat becomes likely, and a data key seals a person's few.
 */
export function encrypt(key: KeyObject, random: Random, plain: string | Buffer, context: string, head = ''): Buffer {
  const nonce = random.bytes(nonceLength)
  const cipher = createCipheriv(algorithm, key, nonce)
  cipher.setAAD(Buffer.from(context))
  const body = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain)
  return Buffer.concat([Buffer.from(head, 'latin1'), nonce, body, cipher.final(), cipher.getAuthTag()])
}

/** Throws when the box was made with another key or context, or was changed since. */
export function decrypt(key: KeyObject, box: Buffer, context: string): Buffer {
  invariant(box.length >= nonceLength + tagLength, 'a sealed text holds at least a nonce and a tag')
  const decipher = createDecipheriv(algorithm, key, box.subarray(0, nonceLength), { authTagLength: tagLength })
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(box.subarray(-tagLength))
  const plain = decipher.update(box.subarray(nonceLength, -tagLength))
  invariant(isAuthentic(decipher), 'a sealed text is opened with its own key and context, unchanged')
  return plain
}

/** Node reports a wrong tag by throwing from final, which has no output in this mode. */
function isAuthentic(decipher: { final(): Buffer }): boolean {
  try {
    decipher.final()
    return true
  } catch {
    return false
  }
}
