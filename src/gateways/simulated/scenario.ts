import { type Static, Type } from 'typebox'
import { checkSettings } from '#kernel/config-check'
import { UsageError } from '#kernel/errors'
import { approve, type Behaviour, behaviourNamed, type CallName } from './behaviour.ts'
import type { Subject } from './fates.ts'
import { Move } from './moves.ts'

const closed = { additionalProperties: false } as const
const Units = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "a whole number of the gateway's units",
})
const Count = Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'a whole number from 1 to 1000000000' })
/** Ten minutes for an answer, a year for what follows. */
const Wait = Type.Integer({ minimum: 0, maximum: 600_000, description: 'milliseconds from 0 to 600000' })
const Later = Type.Integer({ minimum: 0, maximum: 31_536_000_000, description: 'milliseconds, a year at most' })

const calls = ['authorize', 'capture', 'cancel', 'refund'] as const
const manners = ['once', 'twice', 'reversed', 'first'] as const

function oneOf<const Word extends string>(words: readonly Word[]) {
  return Type.Unsafe<Word>(Type.String({ enum: [...words], description: `one of ${words.join(', ')}` }))
}

const When = Type.Object(
  {
    call: Type.Optional(oneOf(calls)),
    amount: Type.Optional(Units),
    amount_from: Type.Optional(Units),
    amount_to: Type.Optional(Units),
    currency: Type.Optional(Type.String({ pattern: '^[A-Za-z]{3}$', description: 'a currency of three letters' })),
    payment_method: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'a payment method, or the beginning of one and *' }),
    ),
    probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1, description: 'a number from 0 to 1' })),
    nth: Type.Optional(Count),
    every: Type.Optional(Count),
  },
  { ...closed, description: 'an object of conditions' },
)

const FollowUpRule = Type.Object(
  { after_ms: Later, ...Move.properties },
  { ...closed, description: 'an object with after_ms and do' },
)

const Then = Type.Object(
  {
    behaviour: Type.Optional(
      Type.String({ minLength: 1, maxLength: 80, description: 'the name of a behaviour, as in decline_lost_card' }),
    ),
    wait_ms: Type.Optional(Wait),
    webhooks: Type.Optional(oneOf(manners)),
    follow_ups: Type.Optional(
      Type.Array(FollowUpRule, { maxItems: 20, description: 'a list of up to 20 things that follow' }),
    ),
  },
  { ...closed, description: 'an object that says what happens' },
)

const Rule = Type.Object(
  // biome-ignore lint/suspicious/noThenProperty: the word of a scenario's file, and its value is no function
  { when: Type.Optional(When), then: Then },
  { ...closed, description: 'an object with when and then' },
)

const Scenario = Type.Object(
  {
    rules: Type.Array(Rule, { maxItems: 200, description: 'a list of up to 200 rules' }),
    payouts: Type.Optional(
      Type.Object(
        { every_ms: Type.Integer({ minimum: 1000, maximum: 31_536_000_000, description: 'milliseconds from 1000' }) },
        { ...closed, description: 'an object with every_ms' },
      ),
    ),
  },
  { ...closed, description: 'an object with rules' },
)
export type Scenario = Static<typeof Scenario>
type Rule = Static<typeof Rule>
type When = Static<typeof When>

export const noScenario: Scenario = { rules: [] }

/** The scenario of a file's text. @throws UsageError, one line that names the field and what would be right. */
export function parseScenario(text: string, file: string): Scenario {
  const scenario = checkSettings(Scenario, parseJson(text, file), (path) => (path === '' ? file : `${path} in ${file}`))
  for (const [place, rule] of scenario.rules.entries()) checkBehaviour(rule, `rules.${place}.then.behaviour in ${file}`)
  return scenario
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message.split('\n', 1)[0] : 'unreadable'
    throw new UsageError(`${file} must be JSON: ${why}.`, { cause: error })
  }
}

function checkBehaviour({ when, then: { behaviour } }: Rule, name: string): void {
  const call = when?.call ?? 'authorize'
  if (behaviour === undefined || behaviourNamed(behaviour, call) !== undefined) return
  throw new UsageError(`${name} must be the name of a behaviour for ${call}, as in timeout_after_charge.`)
}

/** Whether a call is one the rule is about, before chance and count have their say. */
export function matches(when: When, { call, amount, currency, paymentMethod }: Subject): boolean {
  if ((when.call ?? 'authorize') !== call) return false
  if (when.amount !== undefined && when.amount !== amount) return false
  if (when.amount_from !== undefined && (amount === undefined || amount < when.amount_from)) return false
  if (when.amount_to !== undefined && (amount === undefined || amount > when.amount_to)) return false
  if (when.currency !== undefined && when.currency.toLowerCase() !== currency) return false
  return when.payment_method === undefined || isMethod(when.payment_method, paymentMethod ?? '')
}

function isMethod(pattern: string, method: string): boolean {
  return pattern.endsWith('*') ? method.startsWith(pattern.slice(0, -1)) : method === pattern
}

export function behaviourOfRule(
  { then: { behaviour, wait_ms, webhooks, follow_ups } }: Rule,
  call: CallName,
): Behaviour {
  const named = (behaviour === undefined ? undefined : behaviourNamed(behaviour, call)) ?? approve
  return {
    ...named,
    ...(wait_ms === undefined ? {} : { waitMs: wait_ms }),
    ...(webhooks === undefined ? {} : { webhooks }),
    ...(follow_ups === undefined
      ? {}
      : { followUps: follow_ups.map(({ after_ms: afterMs, ...move }) => ({ afterMs, move })) }),
  }
}
