import { Refusal } from '#kernel/errors'

const EXPIRES_AFTER_MS = 15 * 60 * 1000
const EXPIRES_AFTER_MAX_MS = 7 * 24 * 60 * 60 * 1000

/** When what charges somebody must not be done any more, in Unix milliseconds. @throws Refusal for a time that is none. */
export function expiryOf(text: string | undefined, now: number): number {
  if (text === undefined) return now + EXPIRES_AFTER_MS
  const at = Date.parse(text)
  if (at > now && at <= now + EXPIRES_AFTER_MAX_MS) return at
  throw new Refusal('body_invalid', { field: 'expires_at', detail: 'expires_at must be a time within the next 7 days' })
}
