import type { Random } from './random.ts'

/**
 * The caller's W3C trace context when it is exactly of version 00, else a new one. A near miss is not
 * repaired: what is accepted travels with every event, so nothing else may ride along in it.
 */
export function acceptTraceparent(header: string | string[] | undefined, random: Random): string {
  if (typeof header === 'string' && traceparent.test(header)) return header
  return `00-${random.bytes(16).toString('hex')}-${random.bytes(8).toString('hex')}-01`
}

export function traceIdOf(accepted: string): string {
  return accepted.slice(3, 35)
}

/** Ids of zeros only are invalid. */
const traceparent = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
