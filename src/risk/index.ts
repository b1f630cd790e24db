import type { Clock } from '#kernel/clock'
import { createWindowCounter } from './window-counter.ts'

export type RiskRequest = {
  readonly tenant: string
  readonly merchant: string
  /** Keyed digest of the customer reference; undefined where there is none. */
  readonly customer: string | undefined
  readonly amount: number
  readonly currency: string
}

export type RiskScore = {
  /** From 0, harmless, to 1. */
  readonly score: number
  readonly reasons: readonly string[]
}

/** How a payment request is scored at the door. An outside scorer takes this shape too. */
export type RiskScorer = (request: RiskRequest) => RiskScore | Promise<RiskScore>

/** Above this score a request is refused. */
export const RISK_SCORE_MAX = 0.95
/** A scorer that takes longer has failed, and a failure refuses. */
export const RISK_DEADLINE_MS = 50

export type VelocityLimits = {
  /** Requests of one customer in a minute. */
  readonly perCustomerAMinute: number
  /** Requests of one merchant in a minute. */
  readonly perMerchantAMinute: number
  /** Minor units of one request. */
  readonly amountMax: number
}

const MINUTE_MS = 60_000

/** Simple rules on counters of this process: they need no database, so they hold while it is away. */
export function createVelocityRules(clock: Clock, limits: VelocityLimits): RiskScorer {
  const customers = createWindowCounter(clock, MINUTE_MS)
  const merchants = createWindowCounter(clock, MINUTE_MS)
  return ({ tenant, merchant, customer, amount }) => {
    const reasons: string[] = []
    if (customer !== undefined && customers.count(`${tenant}/${customer}`) > limits.perCustomerAMinute) {
      reasons.push('customer_velocity')
    }
    if (merchants.count(`${tenant}/${merchant}`) > limits.perMerchantAMinute) reasons.push('merchant_velocity')
    if (amount > limits.amountMax) reasons.push('amount_over_limit')
    return { score: reasons.length > 0 ? 0.99 : 0.05, reasons }
  }
}

/**
 * Asks a scorer, and fails closed: a scorer that throws, is late or answers nonsense has refused.
 * The verdict says which.
 */
export async function assess(
  scorer: RiskScorer,
  request: RiskRequest,
  clock: Clock,
): Promise<RiskScore & { isRefused: boolean }> {
  const scored = askSafely(scorer, request)
  const { score, reasons } = scored instanceof Promise ? await inTime(scored, clock) : scored
  const isSound = Number.isFinite(score) && score >= 0 && score <= 1
  return isSound
    ? { score, reasons, isRefused: score > RISK_SCORE_MAX }
    : { ...failed('scorer_failed'), isRefused: true }
}

async function inTime(scored: Promise<RiskScore>, clock: Clock): Promise<RiskScore> {
  const answered = new AbortController()
  const late = clock.sleep(RISK_DEADLINE_MS, answered.signal).then(() => failed('scorer_late'))
  const first = await Promise.race([scored, late])
  // With a reason of ours: making the default one takes 10 µs.
  answered.abort('over')
  return first
}

function askSafely(scorer: RiskScorer, request: RiskRequest): RiskScore | Promise<RiskScore> {
  try {
    const answer = scorer(request)
    return answer instanceof Promise ? answer.catch(() => failed('scorer_failed')) : answer
  } catch {
    return failed('scorer_failed')
  }
}

function failed(reason: string): RiskScore {
  return { score: 1, reasons: [reason] }
}
