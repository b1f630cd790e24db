import { createHmac, hash, type KeyObject } from 'node:crypto'
import type { MasterKey } from './master-key.ts'

/**
 * A keyed name for something that must not be stored itself: 26 characters of Crockford's base32
 * (130 bits). The same purpose and parts always give the same digest under one master key; digests
 * of different purposes cannot be compared. A purpose is a constant of the code, never user input.
 */
export type Digest = (purpose: string, ...parts: string[]) => string

/** A derived key is kept per purpose; past this many somebody makes purposes out of data. */
const purposesMax = 256

export function createDigest(masterKey: MasterKey): Digest {
  const keys = new Map<string, KeyObject>()
  const keyFor = (purpose: string): KeyObject => {
    const known = keys.get(purpose)
    if (known) return known
    const key = masterKey.derive(`digest/${purpose}`)
    if (keys.size < purposesMax) keys.set(purpose, key)
    return key
  }
  return (purpose, ...parts) => base32(createHmac('sha256', keyFor(purpose)).update(encode(parts), 'utf16le').digest())
}

/** The same without a key, at a third of the cost: for parts that are no secret, as a gateway's ids are not. */
export function plainDigest(purpose: string, ...parts: string[]): string {
  return base32(Buffer.from(hash('sha256', Buffer.from(encode([purpose, ...parts]), 'utf16le'), 'latin1'), 'latin1'))
}

/**
 * Every part behind its length, so that ('ab', 'c') is not ('a', 'bc'). Hashed as UTF-16, because in
 * UTF-8 all lone surrogates become one character and two texts could share a digest.
 */
function encode(parts: readonly string[]): string {
  let text = ''
  for (const part of parts) text += `${part.length}:${part}`
  return text
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
/** Ten bits at a time: half the pieces to put together. */
const pairs = Array.from({ length: 1024 }, (_, n) => `${alphabet[n >> 5]}${alphabet[n & 31]}`)

/** The first 130 bits, or as many as an even length takes, five to a character; also for random ids. */
export function base32(bytes: Buffer, length = 26): string {
  let text = ''
  let [bits, held] = [0, 0]
  for (let at = 0; text.length < length; at += 1) {
    held = ((held << 8) | (bytes[at] ?? 0)) & 0x3ffff
    bits += 8
    if (bits >= 10) {
      bits -= 10
      text += pairs[(held >> bits) & 1023]
    }
  }
  return text
}
