/** Sends load over HTTP, and says when each payment was answered. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Dispatcher, Pool } from 'undici'
import { answer } from '../child.ts'
import { signedWebhook } from '../webhooks.ts'

export type Traffic = {
  readonly url: string
  readonly kind: 'reported' | 'executed'
  /** Names the payments of this load apart from others'. */
  readonly run: string
  readonly from: number
  readonly count: number
  /** Undefined: as fast as it goes, with `inFlight` requests under way. */
  readonly perSecond: number | undefined
  readonly inFlight: number
  readonly merchants: number
  readonly apiKey: string
}

export type Sent = {
  /** Unix milliseconds at which each was answered, in order. */
  readonly answeredAt: Float64Array
  /** Payment ids, where the answer named them. */
  readonly ids: readonly string[]
  /** Statuses that were none of 2xx, and how often. */
  readonly refused: Readonly<Record<string, number>>
}

const CONNECTIONS = 512
/** Made ahead in portions: half a million webhooks at once would be two gigabytes. */
const PORTION = 20_000

answer(async (traffic: Traffic): Promise<Sent> => {
  const pool = new Pool(traffic.url, { connections: CONNECTIONS, pipelining: 1 })
  const answeredAt = new Float64Array(traffic.count)
  const ids: string[] = []
  const refused: Record<string, number> = {}
  try {
    for (let at = 0; at < traffic.count; at += PORTION) {
      const requests = Array.from({ length: Math.min(PORTION, traffic.count - at) }, (_, n) =>
        requestOf(traffic, traffic.from + at + n),
      )
      await paced(requests.length, traffic, async (n) => {
        const response = await pool.request(requests[n] as Dispatcher.RequestOptions)
        const text = await response.body.text()
        answeredAt[at + n] = performance.timeOrigin + performance.now()
        if (response.statusCode >= 300) refused[response.statusCode] = (refused[response.statusCode] ?? 0) + 1
        else if (traffic.kind === 'executed') ids[at + n] = idIn(text)
      })
    }
  } finally {
    await pool.close()
  }
  return { answeredAt, ids, refused }
})

function requestOf({ kind, run, merchants, apiKey }: Traffic, n: number): Dispatcher.RequestOptions {
  if (kind === 'reported') {
    const { body, signature } = signedWebhook(run, n)
    const headers = { 'content-type': 'application/json', 'stripe-signature': signature }
    return { method: 'POST', path: '/v1/gateways/stripe/bench/webhooks', headers, body }
  }
  const headers = {
    'content-type': 'application/json',
    authorization: `Bearer ${apiKey}`,
    'idempotency-key': `${run}${n}`,
  }
  const body = {
    amount: 1000 + (n % 5000),
    currency: 'EUR',
    merchant: `mer_${n % merchants}`,
    payment_method: 'pm_sim_approve',
    description: `Order ${n}`,
    metadata: { order: String(n), channel: 'web' },
  }
  return { method: 'POST', path: '/v1/payments', headers, body: JSON.stringify(body) }
}

async function paced(count: number, traffic: Traffic, send: (n: number) => Promise<void>): Promise<void> {
  if (traffic.perSecond === undefined) {
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count) await send(next++)
    }
    await Promise.all(Array.from({ length: traffic.inFlight }, worker))
    return
  }
  const startedAt = performance.now()
  const underWay: Promise<void>[] = []
  while (underWay.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * traffic.perSecond))
    while (underWay.length < due) underWay.push(send(underWay.length))
    await sleep(2)
  }
  await Promise.all(underWay)
}

function idIn(text: string): string {
  return /"id":"([^"]+)"/.exec(text)?.[1] ?? ''
}
