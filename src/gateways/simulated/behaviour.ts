import type { FollowUp } from './moves.ts'

/** A call that moves money, or lets it go. */
export type CallName = 'authorize' | 'capture' | 'cancel' | 'refund'

/** What the simulated gateway does with one call. The parts combine freely. */
export type Behaviour = {
  /** What the bank does: `challenge` asks for 3-D Secure, `nothing` leaves no trace at all. */
  readonly bank: 'approve' | 'challenge' | 'nothing' | { readonly declines: string }
  /** What becomes of the answer to the first request. Asked again under its key, the gateway says what it did. */
  readonly answer: 'sent' | 'lost' | 'error_500' | 'rate_limited'
  /** How long the first answer takes. */
  readonly waitMs: number
  readonly webhooks: 'once' | 'twice' | 'reversed' | 'first'
  readonly followUps: readonly FollowUp[]
}

export const approve: Behaviour = { bank: 'approve', answer: 'sent', waitMs: 0, webhooks: 'once', followUps: [] }

const nothing = { ...approve, bank: 'nothing' } as const

/** How long after a call its usual follow-up comes. */
const SOON_MS = 1000

export type NamedBehaviour = {
  readonly name: string
  /** The call it is made for where that is not every one. */
  readonly only?: CallName
  /** The last two digits of the magic amounts that mean it. */
  readonly digits: number
  readonly summary: string
  readonly behaviour: Behaviour
}

const declines = [
  'generic_decline',
  'insufficient_funds',
  'lost_card',
  'stolen_card',
  'expired_card',
  'incorrect_cvc',
  'do_not_honor',
  'fraudulent',
  'card_velocity_exceeded',
  'processing_error',
  'call_issuer',
  'card_not_supported',
  'currency_not_supported',
  'pickup_card',
  'restricted_card',
  'transaction_not_allowed',
  'try_again_later',
  'authentication_required',
] as const

/** Every behaviour that has a name. docs/simulator.md is tested against this table in both directions. */
export const behaviours: readonly NamedBehaviour[] = [
  { name: 'approve', digits: 0, summary: 'approved', behaviour: approve },
  ...declines.map((code, place) => ({
    name: `decline_${code}`,
    digits: place + 1,
    summary: `declined: \`${code}\``,
    behaviour: { ...approve, bank: { declines: code } },
  })),
  named('3ds_required', 30, 'needs 3-D Secure, and waits for it', { bank: 'challenge' }, 'authorize'),
  named('3ds_completed', 31, 'needs 3-D Secure; completed after a second', challenged('complete_3ds'), 'authorize'),
  named('3ds_failed', 32, 'needs 3-D Secure; failed after a second', challenged('fail_3ds'), 'authorize'),
  named('timeout_after_charge', 40, 'done, then no answer; asked again with the same key, the answer', {
    answer: 'lost',
  }),
  named('timeout_before_charge', 41, 'not done, and no answer, every time', { ...nothing, answer: 'lost' }),
  named('error_500', 42, 'not done, status 500', { ...nothing, answer: 'error_500' }),
  named('error_500_after_charge', 43, 'done, then status 500; asked again with the same key, the answer', {
    answer: 'error_500',
  }),
  named('rate_limited', 44, 'status 429 with `Retry-After: 1` at first; asked again, done', { answer: 'rate_limited' }),
  named('slow', 45, 'done, answered after three seconds; `slow_<ms>` waits so long', { waitMs: 3000 }),
  named('webhook_first', 50, 'webhooks acknowledged before the answer', { webhooks: 'first' }),
  named('duplicate_webhooks', 51, 'every webhook twice', { webhooks: 'twice' }),
  named('reordered_webhooks', 52, 'webhooks one after the other, the last one first', { webhooks: 'reversed' }),
  named('disputed', 60, 'approved; disputed after a second', disputed(), 'authorize'),
  named('disputed_inquiry', 61, 'approved; an inquiry after a second, which takes no money', inquired(), 'authorize'),
  named('disputed_won', 62, 'approved; disputed after a second, won after two', disputed('win_dispute'), 'authorize'),
  named(
    'disputed_lost',
    63,
    'approved; disputed after a second, lost after two',
    disputed('lose_dispute'),
    'authorize',
  ),
  named('fails', 70, 'made, and fails after a second', followed({ do: 'fail_refund' }), 'refund'),
]

/** Amounts that decide by themselves, by call: so much and the two digits. */
export const magicAmounts = { authorize: 9_000_000, capture: 7_000_000, refund: 8_000_000 } as const

const byName = new Map(behaviours.map((one) => [one.name, one]))
const byDigits = new Map(behaviours.map((one) => [one.digits, one]))

const prefix = 'pm_sim_'
const slowMsMax = 600_000

/**
 * The behaviour of a name: one of the table, `decline` or `decline_<code>` with any code, `slow_<ms>`.
 * Undefined for a name that is none, or is made for another call.
 */
export function behaviourNamed(name: string, call: CallName): Behaviour | undefined {
  const known = byName.get(name === 'decline' ? 'decline_generic_decline' : name)
  if (known !== undefined) return known.only === undefined || known.only === call ? known.behaviour : undefined
  const code = /^decline_([a-z0-9_]{1,64})$/.exec(name)?.[1]
  if (code !== undefined) return { ...approve, bank: { declines: code } }
  const ms = /^slow_(\d{1,6})$/.exec(name)?.[1]
  return ms === undefined ? undefined : { ...approve, waitMs: Math.min(Number(ms), slowMsMax) }
}

/**
 * What a payment method asks for: `pm_sim_<name>` of the payment, `pm_sim_on_refund_<name>` (or `capture`, `cancel`)
 * of what is done with it later, the payment itself being approved.
 */
export function behaviourOfMethod(paymentMethod: string | null, call: CallName): Behaviour | undefined {
  if (paymentMethod === null || !paymentMethod.startsWith(prefix)) return undefined
  const name = paymentMethod.slice(prefix.length)
  const [, later, what = ''] = /^on_(capture|cancel|refund)_(.+)$/.exec(name) ?? []
  if (later === undefined) return call === 'authorize' ? behaviourNamed(name, call) : undefined
  return later === call ? behaviourNamed(what, call) : undefined
}

/** What an amount asks for. */
export function behaviourOfAmount(amount: number | undefined, call: CallName): Behaviour | undefined {
  if (amount === undefined || call === 'cancel') return undefined
  const known = byDigits.get(amount - magicAmounts[call])
  return known === undefined || (known.only !== undefined && known.only !== call) ? undefined : known.behaviour
}

function named(
  name: string,
  digits: number,
  summary: string,
  parts: Partial<Behaviour>,
  only?: CallName,
): NamedBehaviour {
  return { name, digits, summary, behaviour: { ...approve, ...parts }, ...(only === undefined ? {} : { only }) }
}

function followed(...moves: FollowUp['move'][]): Partial<Behaviour> {
  return { followUps: moves.map((move, place) => ({ afterMs: SOON_MS * (place + 1), move })) }
}

function challenged(what: 'complete_3ds' | 'fail_3ds'): Partial<Behaviour> {
  return { bank: 'challenge', ...followed({ do: what }) }
}

function disputed(then?: 'win_dispute' | 'lose_dispute'): Partial<Behaviour> {
  return followed({ do: 'open_dispute' }, ...(then === undefined ? [] : [{ do: then }]))
}

function inquired(): Partial<Behaviour> {
  return followed({ do: 'open_dispute', inquiry: true })
}
