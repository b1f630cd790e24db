import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * `mismatch`: no secret of ours signed these bytes. `stale`: ours, but signed too long ago or too far
 * in the future. `malformed`: the header is missing or is not a Stripe-Signature.
 */
export type SignatureOutcome = 'valid' | 'mismatch' | 'stale' | 'malformed'

/** How far a signature's time may be from ours, either way: Stripe's own default. */
const toleranceSeconds = 300

/** A sender has a few secrets at once while it rotates them; what comes past this is work without a reason. */
const headerLengthMax = 4096
const signaturesMax = 16

/**
 * Says whether the body is what one of the secrets' holders sent, and lately. `body` is what came over
 * the wire, byte for byte. Never throws. Scheme: docs.stripe.com/webhooks#verify-manually.
 */
export function verifySignature(request: {
  body: Buffer
  header: string | undefined
  secrets: readonly string[]
  nowMs: number
}): SignatureOutcome {
  const header = parseHeader(request.header)
  if (header === undefined) return 'malformed'
  if (!isSigned(request.body, header, request.secrets)) return 'mismatch'
  const ageSeconds = Math.floor(request.nowMs / 1000) - Number(header.timestamp)
  return Math.abs(ageSeconds) <= toleranceSeconds ? 'valid' : 'stale'
}

/** The Stripe-Signature header for a body, as a gateway would send it. */
export function sign(body: Buffer, secret: string, timestampSeconds: number): string {
  const timestamp = String(timestampSeconds)
  return `t=${timestamp},v1=${digestOf(body, secret, timestamp).toString('hex')}`
}

/** `timestamp` stays the text that was signed. */
type Header = { readonly timestamp: string; readonly signatures: readonly Buffer[] }

function parseHeader(text: string | undefined): Header | undefined {
  if (typeof text !== 'string' || text.length > headerLengthMax) return undefined
  let timestamp: string | undefined
  const signatures: string[] = []
  for (const part of text.split(',')) {
    const pair = part.trim()
    if (pair.startsWith('v1=')) signatures.push(pair.slice(3))
    else if (pair.startsWith('t=')) {
      if (timestamp !== undefined) return undefined
      timestamp = pair.slice(2)
    }
  }
  if (timestamp === undefined || !/^\d{1,12}$/.test(timestamp)) return undefined
  if (signatures.length === 0 || signatures.length > signaturesMax) return undefined
  // An entry of another length cannot match; the other entries still may.
  const whole = signatures.filter((value) => /^[0-9a-f]{64}$/i.test(value))
  return { timestamp, signatures: whole.map((value) => Buffer.from(value, 'hex')) }
}

/** Compares every pair to the end, so that time tells nothing. An empty secret is nobody's. */
function isSigned(body: Buffer, { timestamp, signatures }: Header, secrets: readonly string[]): boolean {
  let found = false
  for (const secret of secrets) {
    if (secret === '') continue
    const expected = digestOf(body, secret, timestamp)
    for (const signature of signatures) found = timingSafeEqual(expected, signature) || found
  }
  return found
}

function digestOf(body: Buffer, secret: string, timestamp: string): Buffer {
  return createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest()
}
