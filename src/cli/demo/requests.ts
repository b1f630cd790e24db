import { isObject, textAt } from '#gateways/stripe'
import type { Random } from '#kernel/random'
import { between, CURRENCIES, each, pick, post, type Stage } from './stage.ts'

/** What becomes of a request at the gateway, or before it gets there. */
type Fate = 'approve' | 'decline' | 'hold' | 'time_out' | 'fail' | 'refuse'

export type PlannedRequest = {
  readonly key: string
  readonly fate: Fate
  readonly body: { amount: number; currency: string; merchant: string; payment_method: string } & Record<
    string,
    unknown
  >
  /** The client asks again under the same key: the same, or something else. */
  readonly again: 'same' | 'other' | undefined
}

/** What the door answered, counted where it was asked. */
export type Answers = {
  readonly sent: number
  /** Payments answered with 202, by id. */
  readonly accepted: ReadonlyMap<string, PlannedRequest>
  /** 202s that named a payment which had had one before. */
  readonly repeats: number
  readonly conflicts: number
  readonly refused: number
  /** How many were planned to ask for something else under their key. */
  readonly conflictsPlanned: number
  /** Everything else: there should be none. */
  readonly unexpected: number
}

const AT_ONCE = 24
const DECLINES = ['insufficient_funds', 'expired_card', 'do_not_honor', 'lost_card'] as const
/** Over what the demo's risk rules let through. */
export const AMOUNT_REFUSED = 50_000_000

export function planRequests(random: Random, count: number): PlannedRequest[] {
  return Array.from({ length: count }, (_, index) => planRequest(random, index))
}

function planRequest(random: Random, index: number): PlannedRequest {
  const fate = fateOf(random.unit())
  const turn = random.unit()
  const currency = pick(random, CURRENCIES)
  return {
    key: `order-${index}`,
    fate,
    again: fate === 'refuse' ? undefined : turn < 0.06 ? 'same' : turn < 0.09 ? 'other' : undefined,
    body: {
      amount: fate === 'refuse' ? AMOUNT_REFUSED + index : between(random, 100, 25_000),
      currency,
      merchant: pick(random, ['mer_books', 'mer_bikes', 'mer_bread']),
      payment_method: methodFor(fate, random),
      customer: `customer-${between(random, 1, 100)}`,
      description: `Order ${index}`,
      metadata: { order: String(index) },
      capture_mode: fate === 'hold' ? 'manual' : 'automatic',
    },
  }
}

function fateOf(chance: number): Fate {
  if (chance < 0.74) return 'approve'
  if (chance < 0.86) return 'decline'
  if (chance < 0.9) return 'hold'
  if (chance < 0.93) return 'time_out'
  return chance < 0.95 ? 'fail' : 'refuse'
}

function methodFor(fate: Fate, random: Random): string {
  switch (fate) {
    case 'decline':
      return `pm_sim_decline_${pick(random, DECLINES)}`
    case 'time_out':
      return 'pm_sim_timeout_after_charge'
    case 'fail':
      return 'pm_sim_error_500'
    default:
      return pick(random, [
        'pm_sim_approve',
        'pm_sim_approve',
        'pm_sim_webhook_first',
        'pm_sim_duplicate_webhooks',
        'pm_sim_slow_50',
      ])
  }
}

/** Sends all of them over HTTP, as clients would. */
export async function sendRequests(stage: Stage, plan: readonly PlannedRequest[]): Promise<Answers> {
  const accepted = new Map<string, PlannedRequest>()
  const count = { sent: 0, repeats: 0, conflicts: 0, refused: 0, unexpected: 0 }

  const send = async (planned: PlannedRequest, amount: number): Promise<void> => {
    count.sent += 1
    const headers = { authorization: `Bearer ${stage.apiKey}`, 'idempotency-key': planned.key }
    const { status, body } = await post(stage, '/v1/payments', JSON.stringify({ ...planned.body, amount }), headers)
    const id = idIn(body)
    if (status === 202 && id !== undefined) {
      if (accepted.has(id)) count.repeats += 1
      accepted.set(id, planned)
    } else if (status === 409) count.conflicts += 1
    else if (status === 422) count.refused += 1
    else count.unexpected += 1
    if (count.sent % 20 === 0) stage.progress(`requests ${count.sent}`)
  }

  await each(plan, AT_ONCE, async (planned) => {
    const { amount } = planned.body
    await send(planned, amount)
    if (planned.again === 'same') await send(planned, amount)
    if (planned.again === 'other') await send(planned, amount + 1)
  })
  return { accepted, conflictsPlanned: plan.filter(({ again }) => again === 'other').length, ...count }
}

function idIn(body: string): string | undefined {
  const answer: unknown = JSON.parse(body)
  return isObject(answer) ? textAt(answer, 'id') : undefined
}
