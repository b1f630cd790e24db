import { isObject, valueAt } from '#gateways/stripe'
import { systemClock } from '#kernel/clock'
import type { World } from './world.ts'

/** Looks at every process from outside, all the time, as a load balancer does. */
export type Watch = {
  /** Milliseconds from then on until every process was ready and no event had waited for longer than a second. */
  wholeAfter(since: number): number | undefined
  stop(): Promise<void>
}

type Sample = { readonly at: number; readonly isWhole: boolean }

const LOOK_MS = 200
const PROBE_MS_MAX = 1_500
const LAG_SECONDS_MAX = 1

export function startWatch({ nodes }: World): Watch {
  const samples: Sample[] = []
  const stopping = new AbortController()
  const look = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const at = systemClock.now()
      const well = await Promise.all(nodes.map(({ process }) => isWell(process.url)))
      samples.push({ at, isWhole: well.every(Boolean) })
      await systemClock.sleep(LOOK_MS, stopping.signal)
    }
  }
  const looking = look()
  return {
    wholeAfter(since) {
      const whole = samples.find(({ at, isWhole }) => at >= since && isWhole)
      return whole && whole.at - since
    },
    async stop() {
      stopping.abort()
      await looking
    },
  }
}

async function isWell(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PROBE_MS_MAX) })
    const said: unknown = await response.json()
    const lag = isObject(said) ? valueAt(said, 'lag_seconds') : undefined
    return response.status === 200 && typeof lag === 'number' && lag <= LAG_SECONDS_MAX
  } catch {
    return false
  }
}
