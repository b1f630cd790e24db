import { hash } from 'node:crypto'
import { type Random, seededRandom } from '#kernel/random'

/** What becomes of the n-th payment of a run: from the seed alone, so that two runs ask for the same. */
export type Story = AskedStory | ReportedStory | BegunStory

/** Asked for over the API, executed at the simulated gateway. */
export type AskedStory = {
  readonly kind: 'asked'
  readonly n: number
  readonly key: string
  readonly amount: number
  readonly currency: string
  readonly method: string
  readonly isManual: boolean
  /** Asked once more under the same key, by another connection. */
  readonly isRepeated: boolean
  /** Once it is authorized: captured, in whole or in part, or let go. */
  readonly end: 'capture' | 'capture_part' | 'cancel' | undefined
  /** Given back once it is captured, in minor units. */
  readonly refunds: readonly number[]
}

/** Told of by a gateway that the merchant calls itself: signed webhooks, shuffled and repeated. */
export type ReportedStory = {
  readonly kind: 'reported'
  readonly n: number
  readonly name: string
  readonly amount: number
  readonly refunds: readonly number[]
  readonly isShuffled: boolean
  readonly isRepeated: boolean
}

/** Begins at the simulated gateway, which tells of it. */
export type BegunStory = {
  readonly kind: 'begun'
  readonly n: number
  readonly amount: number
  readonly currency: string
  readonly refund: number | undefined
}

/** What the gateway does, and in how many of a thousand payments. */
const METHODS: readonly (readonly [perMille: number, method: string])[] = [
  [800, 'approve'],
  [60, 'decline_insufficient_funds'],
  [30, 'slow_500'],
  [25, 'duplicate_webhooks'],
  [25, 'reordered_webhooks'],
  [20, 'webhook_first'],
  [15, 'rate_limited'],
  [10, 'error_500_after_charge'],
  [10, 'timeout_after_charge'],
  [5, 'timeout_before_charge'],
]
export const CURRENCIES = ['EUR', 'USD', 'GBP', 'JPY'] as const

export function storyOf(seed: number, n: number): Story {
  const random = seededRandom(BigInt(seed) * 1_000_003n + BigInt(n))
  const amount = 500 + Math.floor(random.unit() * 20_000)
  const currency = pick(random, CURRENCIES)
  const kind = random.unit()
  if (kind < 0.5) return askedStory(random, { n, key: `order-${seed}-${n}`, amount, currency })
  if (kind < 0.95) {
    const name = `s${seed}x${n}`
    const [isShuffled, isRepeated] = [random.unit() < 0.3, random.unit() < 0.1]
    return { kind: 'reported', n, name, amount, refunds: refundsOf(random, amount), isShuffled, isRepeated }
  }
  return { kind: 'begun', n, amount, currency, refund: random.unit() < 0.3 ? Math.ceil(amount / 3) : undefined }
}

/** The trace that the requests of a payment belong to: an auditor finds it again at the ledger's end. */
export function traceIdOf(seed: number, n: number): string {
  return hash('sha256', `trace ${seed} ${n}`, 'hex').slice(0, 32)
}

function askedStory(random: Random, about: Pick<AskedStory, 'n' | 'key' | 'amount' | 'currency'>): AskedStory {
  const method = methodOf(random.unit() * 1000)
  // What is done later needs a payment that goes well, and soon.
  const isPlain = method === 'approve'
  const isManual = isPlain && random.unit() < 0.2
  const end = isManual ? pick(random, ['capture', 'capture_part', 'cancel'] as const) : undefined
  const refunds = isPlain && !isManual ? refundsOf(random, about.amount) : []
  return { kind: 'asked', ...about, method, isManual, isRepeated: random.unit() < 0.1, end, refunds }
}

/** One payment in five is given back: in part, in two parts, or all of it. */
function refundsOf(random: Random, amount: number): number[] {
  const way = random.unit()
  if (way < 0.8) return []
  const part = 1 + Math.floor(random.unit() * (amount - 1))
  if (way < 0.88) return [part]
  return way < 0.95 ? [part, amount - part].filter((some) => some > 0) : [amount]
}

function methodOf(perMille: number): string {
  let sum = 0
  for (const [share, method] of METHODS) {
    sum += share
    if (perMille < sum) return method
  }
  return 'approve'
}

function pick<Item>(random: Random, items: readonly [Item, ...Item[]]): Item {
  return items[Math.floor(random.unit() * items.length)] ?? items[0]
}
