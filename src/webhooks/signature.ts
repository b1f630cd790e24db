import { createHmac } from 'node:crypto'
import type { Random } from '#kernel/random'

const PREFIX = 'whsec_'
/** The specification asks for 24 to 64. */
const SECRET_BYTES = 32

/** Standard Webhooks 1.0, symmetric: `whsec_` and the key in base64. */
export function newSecret(random: Random): string {
  return `${PREFIX}${random.bytes(SECRET_BYTES).toString('base64')}`
}

/** The key of a secret, to be kept: decoding it for each message is a third of the cost. */
export function signingKey(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64')
}

/**
 * Header `webhook-signature`: one signature for each key, in order, divided by spaces. A receiver takes the message when
 * one of them is right, so a secret can be replaced while both are known. `timestamp` is in seconds.
 */
export function sign(keys: readonly Buffer[], id: string, timestamp: number, payload: string): string {
  const signed = `${id}.${timestamp}.${payload}`
  return keys.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`).join(' ')
}
