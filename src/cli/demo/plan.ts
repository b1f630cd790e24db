import type { Random } from '#kernel/random'
import { between, CURRENCIES, pick } from './stage.ts'
import { afterHeld, afterTaken, type Later, methodOf } from './stories.ts'

/** What becomes of a request at the gateway, or before it gets there. */
type Fate = 'approve' | 'decline' | 'challenge' | 'hold' | 'time_out' | 'fail' | 'refuse'

export type PlannedRequest = {
  readonly key: string
  readonly fate: Fate
  readonly body: { amount: number; currency: string; merchant: string; payment_method: string } & Record<
    string,
    unknown
  >
  /** The client asks again under the same key: the same, or something else. */
  readonly again: 'same' | 'other' | undefined
  /** What is done with the payment once it is taken or held. */
  readonly later: Later | undefined
}

const DECLINES = ['insufficient_funds', 'expired_card', 'do_not_honor', 'lost_card'] as const
/** Over what the demo's risk rules let through. */
export const AMOUNT_REFUSED = 50_000_000

const fates = [
  ['approve', 0.68],
  ['decline', 0.11],
  ['challenge', 0.02],
  ['hold', 0.14],
  ['fail', 0.02],
  ['refuse', 0.03],
] as const satisfies readonly (readonly [Fate, number])[]

/** A timeout holds a call for ten seconds, and the gateway is called by 32 at once: the others must get by too. */
const STORM_MAX = 24
const STORM_SHARE = 0.05
/** Early in the day, so that nobody waits for it in the end. */
const STORM_FROM = 0.2

/** A day of requests; for a stretch of them the gateway takes calls and does not answer. */
export function planRequests(random: Random, count: number): PlannedRequest[] {
  const from = Math.floor(count * STORM_FROM)
  const until = from + Math.min(STORM_MAX, Math.ceil(count * STORM_SHARE))
  return Array.from({ length: count }, (_, index) => {
    const drawn = draw(random, fates)
    return planRequest(random, index, index >= from && index < until ? 'time_out' : drawn)
  })
}

function planRequest(random: Random, index: number, fate: Fate): PlannedRequest {
  const turn = random.unit()
  const later = laterOf(fate, random)
  return {
    key: `order-${index}`,
    fate,
    later,
    again: fate === 'refuse' ? undefined : turn < 0.06 ? 'same' : turn < 0.09 ? 'other' : undefined,
    body: {
      amount: fate === 'refuse' ? AMOUNT_REFUSED + index : between(random, 100, 25_000),
      currency: pick(random, CURRENCIES),
      merchant: pick(random, ['mer_books', 'mer_bikes', 'mer_bread']),
      payment_method: (later && methodOf(later)) ?? methodFor(fate, random),
      customer: `customer-${between(random, 1, 100)}`,
      description: `Order ${index}`,
      metadata: { order: String(index) },
      capture_mode: fate === 'hold' ? 'manual' : 'automatic',
    },
  }
}

function laterOf(fate: Fate, random: Random): Later | undefined {
  if (fate === 'hold') return draw(random, afterHeld)
  return fate === 'approve' ? draw(random, afterTaken) : undefined
}

type Share<Name> = readonly [name: Name, share: number]

/** One of the names, each as likely as its share of them all. */
function draw<Name>(random: Random, shares: readonly [Share<Name>, ...Share<Name>[]]): Name {
  let left = random.unit() * shares.reduce((sum, [, share]) => sum + share, 0)
  const found = shares.find(([, share]) => {
    left -= share
    return left < 0
  })
  return (found ?? shares[0])[0]
}

function methodFor(fate: Fate, random: Random): string {
  switch (fate) {
    case 'decline':
      return `pm_sim_decline_${pick(random, DECLINES)}`
    case 'challenge':
      return 'pm_sim_3ds_completed'
    case 'time_out':
      return pick(random, ['pm_sim_timeout_after_charge', 'pm_sim_timeout_before_charge'])
    case 'fail':
      return 'pm_sim_error_500'
    default:
      return pick(random, [
        'pm_sim_approve',
        'pm_sim_approve',
        'pm_sim_webhook_first',
        'pm_sim_duplicate_webhooks',
        'pm_sim_reordered_webhooks',
        'pm_sim_slow_50',
      ])
  }
}
