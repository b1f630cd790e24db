import { isAway } from '#kernel/away'

/**
 * Resolves once a payment, or one operation of it, is no longer `pending`, or after so many seconds,
 * whichever comes first. Never rejects: whoever waited looks for itself what is so.
 */
export type WhenDecided = (
  ref: { readonly tenant: string; readonly mode: string; readonly id: string },
  about: { readonly operation?: string },
  seconds: number,
) => Promise<void>

/** Longer waits hold a connection for nothing: proxies cut them. */
export const WAIT_SECONDS_MAX = 30

/**
 * The seconds of `Prefer: wait=N` (RFC 7240, section 4.3), 0 without it. More than the maximum is the maximum; what
 * is no whole number is ignored, as that RFC wants of preferences that cannot be honoured.
 */
export function waitSecondsOf(header: string | string[] | undefined): number {
  const preferences = [header ?? []].flat().join(',').split(',')
  for (const preference of preferences) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?$/i.exec(preference) ?? []
    if (seconds !== undefined) return Math.min(Number(seconds), WAIT_SECONDS_MAX)
  }
  return 0
}

/**
 * What is shown once it is decided, for a caller who prefers to wait; undefined for one who does not, or when it has
 * not come about in time.
 */
export async function decidedWithin<Shown extends { readonly status: string }>(
  { headers }: { readonly headers: Readonly<Record<string, string | string[] | undefined>> },
  reply: { header(name: string, value: string): unknown },
  ports: {
    wait(seconds: number): Promise<void> | undefined
    look(): Promise<Shown | undefined>
  },
): Promise<Shown | undefined> {
  const seconds = waitSecondsOf(headers.prefer)
  const waited = seconds === 0 ? undefined : ports.wait(seconds)
  if (!waited) return undefined
  await waited
  reply.header('preference-applied', `wait=${seconds}`)
  const shown = await lookIfPossible(ports.look)
  return shown === undefined || shown.status === 'pending' ? undefined : shown
}

/** It was accepted: that the database cannot be asked now is no reason to answer otherwise. */
async function lookIfPossible<Shown>(look: () => Promise<Shown | undefined>): Promise<Shown | undefined> {
  try {
    return await look()
  } catch (error) {
    if (!isAway(error)) throw error
    return undefined
  }
}
