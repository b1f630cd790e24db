import { systemClock } from '#kernel/clock'

type Ending = { after(work: () => Promise<void>): void }

export type HttpLoad = {
  /** Ids of the payments that were answered with a 2xx, by their idempotency keys. */
  readonly payments: ReadonlyMap<string, string>
  /** Whatever was not answered with a 2xx. */
  readonly failures: readonly string[]
  /** The longest answer to a request that waited for the decision, in ms. */
  longestWaitMs(): number
  /** Resolves when every client has its last answer. */
  stop(): Promise<void>
}

export type LoadOptions = {
  readonly url: string
  readonly apiKey: string
  readonly merchant: string
  readonly clients: number
  /** Whether a client asks again under the same key, as one does whose server was killed, or takes a failure for the end. */
  readonly isRepeating?: boolean
}

const PAUSE_MS = 10
const REPEAT_MS = 50

/** Clients who each pay, wait for what becomes of it, look at it again, and pay anew. */
export function startHttpLoad(t: Ending, options: LoadOptions): HttpLoad {
  const { url, apiKey, merchant, clients, isRepeating = false } = options
  const payments = new Map<string, string>()
  const failures: string[] = []
  let isOpen = true
  let longestMs = 0
  const authorization = `Bearer ${apiKey}`
  const body = JSON.stringify({ amount: 1000, currency: 'EUR', merchant, payment_method: 'pm_sim_approve' })

  const ask = async (path: string, init: RequestInit = {}): Promise<Record<string, unknown> | undefined> => {
    const what = `${init.method ?? 'GET'} ${path.split('/').slice(0, 3).join('/')}`
    try {
      const answer = await fetch(`${url}${path}`, { ...init, headers: { authorization, ...init.headers } })
      const told = await answer.text()
      if (answer.ok) return JSON.parse(told)
      failures.push(`${what}: ${answer.status} ${/"code":"\w+"/.exec(told)?.[0] ?? ''}`)
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? String(error.cause ?? error.message) : 'failed'}`)
    }
    return undefined
  }
  const pay = async (key: string): Promise<void> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': key, prefer: 'wait=10' }
    const begunMs = systemClock.monotonicMs()
    const told = await ask('/v1/payments', { method: 'POST', headers, body })
    longestMs = Math.max(longestMs, systemClock.monotonicMs() - begunMs)
    if (!told) return
    payments.set(key, String(told.id))
    await ask(`/v1/payments/${told.id}`)
  }
  const client = async (number: number): Promise<void> => {
    for (let order = 0; isOpen; order++) {
      const key = `c${number}-${order}`
      await pay(key)
      while (isRepeating && isOpen && !payments.has(key)) {
        await systemClock.sleep(REPEAT_MS)
        await pay(key)
      }
      await systemClock.sleep(PAUSE_MS)
    }
  }
  const done = Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  const stop = async (): Promise<void> => {
    isOpen = false
    await done
  }
  t.after(stop)
  return {
    payments,
    failures,
    longestWaitMs: () => longestMs,
    stop,
  }
}
