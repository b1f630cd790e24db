import type { Clock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import type { Platform } from './platform.ts'

export type DrainOptions = Config['drain'] & { readonly clock: Clock; readonly hasGrace: boolean }

type Draining = {
  readonly http: Pick<Platform['http'], 'turnAway' | 'underWay' | 'stop' | 'cut'>
  readonly running: Pick<Platform['running'], 'callsUnderWay'>
  stop(): Promise<void>
}

/**
 * Ends a platform in order: traffic is sent elsewhere while it is still taken, what is under way is finished, leases are
 * given back. Requests may take half of the time, so that one that never ends leaves the other half to the calls and
 * batches. Resolves with what was left when the time was up, a line each; then the process has to be ended.
 */
export async function drain(platform: Draining, options: DrainOptions): Promise<readonly string[]> {
  const { clock, graceSeconds, limitSeconds, hasGrace } = options
  const { http, running } = platform
  const endMs = clock.monotonicMs() + limitSeconds * 1_000
  const left: string[] = []
  http.turnAway()
  if (hasGrace) await clock.sleep(graceSeconds * 1_000)
  if (!(await isDoneWithin(http.stop(), (endMs - clock.monotonicMs()) / 2, clock))) {
    left.push(`requests not answered: ${http.underWay()}`)
    http.cut()
  }
  if (!(await isDoneWithin(platform.stop(), endMs - clock.monotonicMs(), clock))) {
    const calls = running.callsUnderWay()
    left.push(calls > 0 ? `calls to gateways and endpoints not recorded: ${calls}` : 'work behind the door')
  }
  return left
}

async function isDoneWithin(work: Promise<void>, ms: number, clock: Clock): Promise<boolean> {
  const over = new AbortController()
  const late = clock.sleep(Math.max(0, ms), over.signal).then(() => false)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    over.abort()
  }
}
