import { hash } from 'node:crypto'
import { createBoundedCache } from '#kernel/bounded-cache'
import type { Clock } from '#kernel/clock'
import type { Random } from '#kernel/random'
import { approve, type Behaviour, behaviourOfAmount, behaviourOfMethod, type CallName } from './behaviour.ts'
import { behaviourOfRule, matches, type Scenario } from './scenario.ts'

/** A call, as far as it decides about its fate. */
export type Subject = {
  readonly call: CallName
  readonly amount: number | undefined
  readonly currency: string
  /** Of the payment, whatever the call. */
  readonly paymentMethod: string | null
  /** What makes the call this one: its idempotency key, as a rule. */
  readonly origin: string | undefined
}

export type Decide = (subject: Subject) => Behaviour

/** What payment method and amount ask for, the method first. */
export const decideByMagic: Decide = ({ call, amount, paymentMethod }) =>
  behaviourOfMethod(paymentMethod, call) ?? behaviourOfAmount(amount, call) ?? approve

/**
 * The first rule of the scenario that fits, else payment method and amount. Chance is drawn from the seed, the
 * rule and the call's origin: the same call meets the same fate whatever came before it.
 */
export function createFates(options: { clock: Clock; random: Random; scenario: Scenario }): Decide {
  const { rules } = options.scenario
  const seed = options.random.bytes(16).toString('hex')
  const seen = rules.map(() => 0)
  const limit = createLimiter(options.clock)

  const fits = (place: number, subject: Subject): boolean => {
    const when = rules[place]?.when ?? {}
    if (!matches(when, subject)) return false
    if (when.probability !== undefined && chance(seed, place, subject) >= when.probability) return false
    const count = (seen[place] ?? 0) + 1
    seen[place] = count
    if (when.nth !== undefined && count !== when.nth) return false
    return when.every === undefined || count % when.every === 0
  }

  return (subject) => {
    const place = rules.findIndex((_, candidate) => fits(candidate, subject))
    const rule = rules[place]
    return limit(rule === undefined ? decideByMagic(subject) : behaviourOfRule(rule, subject.call), subject)
  }
}

/** Uniform in [0, 1). */
function chance(seed: string, place: number, { origin = '' }: Subject): number {
  return hash('sha1', `${seed} ${place} ${origin}`, 'buffer').readUIntBE(0, 6) / 2 ** 48
}

const remembered = { entriesMax: 100_000, ageMaxMs: 60 * 60 * 1000 }

/** Turns a call away the first time, and has it approved when it is made again. */
function createLimiter(clock: Clock): (behaviour: Behaviour, subject: Subject) => Behaviour {
  const limited = createBoundedCache<true>(clock, remembered)
  return (behaviour, { origin = '' }) => {
    if (behaviour.answer !== 'rate_limited') return behaviour
    if (limited.get(origin)) return { ...behaviour, answer: 'sent' }
    limited.set(origin, true, clock.monotonicMs())
    return { ...behaviour, bank: 'nothing', followUps: [] }
  }
}
