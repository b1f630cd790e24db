import {
  parseScenario,
  type SimulatedGateway,
  type SimulatedGatewayOptions,
  startSimulatedGateway,
} from '#gateways/simulated'
import { type Clock, systemClock } from '#kernel/clock'
import { type HttpFetch, type HttpResponse, systemFetch } from '#kernel/fetch'
import { seededRandom } from '#kernel/random'

type Ending = { after(work: () => Promise<void>): void }

export const webhookSecret = 'whsec_one'
export const nowhere = 'http://127.0.0.1:1/'

/** An answer of the gateway's API; `body` is what its JSON holds. */
export type GatewayAnswer = Omit<HttpResponse, 'body'> & {
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of many shapes
  readonly body: any
}

export type CallGateway = (method: string, path: string, body?: object, key?: string) => Promise<GatewayAnswer>

/** The simulated gateway over real HTTP, with webhooks held unless told otherwise, and somebody who calls it. */
export async function openSimulatedGateway(
  t: Ending,
  { rules, ...options }: Partial<SimulatedGatewayOptions> & { rules?: readonly object[] } = {},
): Promise<{ gateway: SimulatedGateway; call: CallGateway }> {
  const scenario = parseScenario(JSON.stringify({ rules: rules ?? [] }), 'the test')
  const gateway = await startSimulatedGateway({
    clock: systemClock,
    random: seededRandom(1),
    webhookSecret,
    webhookUrl: nowhere,
    deliver: 'hold',
    scenario,
    ...options,
  })
  const { fetch, close } = systemFetch(systemClock)
  t.after(async () => {
    await close()
    await gateway.stop()
  })
  return { gateway, call: callerOf(gateway.url, fetch) }
}

/** A rule of a scenario's file. Its words are made of texts: an object with a `then` of its own is taken for a promise. */
export function rule(when: object, outcome: object): object {
  return Object.fromEntries([
    ['when', when],
    ['then', outcome],
  ])
}

function callerOf(url: string, fetch: HttpFetch, timeoutMs = 5000): CallGateway {
  return async (method, path, body, key) => {
    const headers = { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    const answer = await fetch({ method, url: `${url}${path}`, headers, timeoutMs, ...sent })
    const isJson = answer.headers['content-type'] === 'application/json'
    return { ...answer, text: answer.body, body: isJson ? JSON.parse(answer.body) : undefined }
  }
}

/** Time that goes only when it is told to, waits included. */
export function handClock(startMs = 1_760_000_000_000): { clock: Clock; pass(ms: number): void } {
  let nowMs = startMs
  let waiting: { dueMs: number; done: () => void }[] = []
  const clock: Clock = {
    now: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        waiting.push({ dueMs: nowMs + ms, done: resolve })
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
  }
  return {
    clock,
    pass(ms) {
      nowMs += ms
      const due = waiting.filter(({ dueMs }) => dueMs <= nowMs)
      waiting = waiting.filter(({ dueMs }) => dueMs > nowMs)
      for (const { done } of due) done()
    },
  }
}
