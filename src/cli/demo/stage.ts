import type { SimulatedGateway } from '#gateways/simulated'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { HttpFetch, HttpResponse } from '#kernel/fetch'
import type { Random } from '#kernel/random'
import type { Receiver } from './receiver.ts'

/** Where the demo plays: a running platform seen from outside, and the gateways it deals with. */
export type Stage = {
  readonly url: string
  readonly apiKey: string
  readonly tenant: string
  /** For what only operators see; the money is read over HTTP. */
  readonly database: Database
  readonly fetch: HttpFetch
  readonly clock: Clock
  readonly random: Random
  /** Executes our payments. */
  readonly acquirer: SimulatedGateway
  /** Reports payments that began elsewhere; its webhooks are carried by the demo. */
  readonly shop: SimulatedGateway
  readonly shopSecret: string
  /** A merchant's server that is told what happens. */
  readonly receiver: Receiver
  /** Aborts when the demo is stopped early: nobody waits for anything any more. */
  readonly stopping: AbortSignal
  progress(text: string): void
}

/** What it takes to ask the platform something. */
export type Asking = Pick<Stage, 'url' | 'apiKey' | 'fetch'>

export const ACQUIRER = 'acquirer'
export const SHOP = 'shop'
export const SHOP_MERCHANT = 'mer_shop'
export const CURRENCIES = ['EUR', 'USD', 'GBP', 'JPY'] as const

/** Longer than the platform takes for anything. */
const TIMEOUT_MS = 20_000

export function post(stage: Stage, path: string, body: string, headers: Record<string, string>): Promise<HttpResponse> {
  const all = { 'content-type': 'application/json', ...headers }
  return stage.fetch({ method: 'POST', url: `${stage.url}${path}`, headers: all, body, timeoutMs: TIMEOUT_MS })
}

/** Of the platform. */
export function getJson(stage: Asking, path: string): Promise<unknown> {
  return getFrom(stage, `${stage.url}${path}`, { authorization: `Bearer ${stage.apiKey}` })
}

/** Of whoever is there; the gateways ask for no key. */
export async function getFrom(
  stage: Pick<Stage, 'fetch'>,
  url: string,
  headers: Record<string, string> = {},
): Promise<unknown> {
  return JSON.parse(await textFrom(stage, url, headers))
}

export async function textFrom(
  stage: Pick<Stage, 'fetch'>,
  url: string,
  headers: Record<string, string> = {},
): Promise<string> {
  return (await stage.fetch({ method: 'GET', url, headers, timeoutMs: TIMEOUT_MS })).body
}

const LOOK_MS = 100

/** Looks again and again until it is so, or the time is up, or the demo is stopped; returns whether it is so. */
export async function until(
  { clock, stopping }: Pick<Stage, 'clock' | 'stopping'>,
  limitMs: number,
  isReached: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + limitMs
  while (!stopping.aborted && clock.monotonicMs() < deadline) {
    if (await isReached()) return true
    await clock.sleep(LOOK_MS, stopping)
  }
  return false
}

/** Works through a list, so many at once. */
export async function each<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of left) await work(item)
    }),
  )
}

export function pick<Item>(random: Random, items: readonly [Item, ...Item[]]): Item {
  return items[Math.floor(random.unit() * items.length)] ?? items[0]
}

export function between(random: Random, min: number, max: number): number {
  return min + Math.floor(random.unit() * (max - min + 1))
}

/** Fisher and Yates. */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const left = [...items]
  return items.flatMap(() => left.splice(Math.floor(random.unit() * left.length), 1))
}
