import { Refusal } from '#kernel/errors'
import { brandId, type TenantId } from '#kernel/ids'
import { ACCOUNT, type System } from '../system.ts'
import type { World } from '../world.ts'
import type { Asked } from './merchants.ts'

const TRIES_MAX = 6
/** Refusals that say for sure that nothing was taken. */
const NOES = new Set(['payment_state_invalid', 'payment_not_found', 'amount_too_large'])

/** What a merchant wants done with a payment. Several may ask for the same under one key. */
export type Wish = {
  readonly call: 'capture' | 'cancel' | 'refund'
  readonly key: string
  /** Minor units; undefined for all there is. */
  readonly amount: number | undefined
  /** How long after the payment was accepted, in ms: at zero hardly one is ready. */
  readonly inMs: number
}

/** What a client was told of its wish, once and for all. */
export type ToldOperation = { readonly payment: string; readonly wish: Wish } & (
  | { readonly kind: 'accepted' | 'key_reused'; readonly id: string }
  /** Never taken: every try was answered, and with a no. */
  | { readonly kind: 'refused'; readonly code: string }
  /** Some try was never answered: it may have been taken. */
  | { readonly kind: 'gave_up' }
)

/** Of the manual payments half, of the others a few have something done with them; some of it cannot be. */
export function planOperations(world: World<System>, asked: Asked): Wish[] {
  const { scheduler } = world
  if (!scheduler.chance(asked.isManual ? 0.45 : 0.07)) return []
  const soon = (): number => 500 * scheduler.below(8)
  const part = (ofHundred: number): number => Math.ceil((asked.amount * ofHundred) / 100)
  const wish = (call: Wish['call'], key: string, amount: number | undefined, inMs = soon()): Wish[] =>
    asTwice(world, { call, key, amount, inMs })
  const atOnce = soon()
  const plans = asked.isManual
    ? [
        () => wish('capture', 'c', undefined),
        () => [...wish('capture', 'c', part(60), 0), ...wish('refund', 'r', undefined, 3_000)],
        // Two hands reach for one hold: one takes it.
        () => [...wish('capture', 'c', part(30), atOnce), ...wish('capture', 'd', part(50), atOnce)],
        () => [...wish('capture', 'c', part(100), atOnce), ...wish('cancel', 'x', undefined, atOnce)],
        () => wish('cancel', 'x', undefined),
        () => wish('capture', 'c', part(300)),
      ]
    : [
        () => wish('refund', 'r', undefined),
        () => [
          ...wish('refund', 'r', part(30), 0),
          ...wish('refund', 's', part(30)),
          ...wish('refund', 't', undefined),
        ],
        // Each for itself is possible, both are not.
        () => [...wish('refund', 'r', part(70), atOnce), ...wish('refund', 's', part(70), atOnce)],
        () => [...wish('refund', 'r', undefined, atOnce), ...wish('refund', 's', undefined, atOnce)],
        () => wish('refund', 'r', part(200)),
        () => wish('cancel', 'x', undefined),
      ]
  return scheduler.pick(plans)?.() ?? []
}

/** Once as a rule; else twice at once under the same key, now and then with another amount. */
function asTwice({ scheduler }: World<System>, wish: Wish): Wish[] {
  if (!scheduler.chance(0.25)) return [wish]
  const { amount } = wish
  const isOther = amount !== undefined && amount > 1 && scheduler.chance(0.3)
  return [wish, isOther ? { ...wish, amount: amount - 1 } : wish]
}

/** A client that asks until it is answered; a payment that is not ready it asks for again. */
export async function askForOperation(world: World<System>, payment: string, wish: Wish): Promise<ToldOperation> {
  const about = { payment, wish }
  let isInDoubt = false
  let code = ''
  for (let tries = 0; tries < TRIES_MAX; tries += world.machine.isCalm ? 3 : 1) {
    const answer = await attempt(world, payment, wish)
    if (answer === undefined) isInDoubt = true
    else if ('id' in answer) return { ...about, ...answer }
    else if (!NOES.has(answer.code)) isInDoubt = true
    else {
      code = answer.code
      // A payment that is not ready may be soon; what waits in the spool of one process is unknown to the others.
      if (code === 'amount_too_large') break
    }
    await world.sleep(world.machine.isCalm ? 5_000 : 1_000, `${wish.call} ${wish.key} tries again`)
  }
  return isInDoubt ? { ...about, kind: 'gave_up' } : { ...about, kind: 'refused', code }
}

type Answer = { readonly kind: 'accepted' | 'key_reused'; readonly id: string } | { readonly code: string }

/** Undefined: nobody answered. */
async function attempt(world: World<System>, payment: string, wish: Wish): Promise<Answer | undefined> {
  const target = world.running()
  if (!target) return undefined
  const answer = target.app.acceptOperation(offerOf(world, payment, wish)).then(
    ({ status, id }): Answer => ({ kind: status === 'repeated' ? 'accepted' : status, id }),
    (error): Answer | undefined => (error instanceof Refusal ? { code: error.code } : undefined),
  )
  return world.within(answer, 2_000, `${wish.call} ${wish.key} gives up waiting`)
}

function offerOf({ scheduler }: World<System>, payment: string, { call, key, amount }: Wish) {
  const [trace, span] = [scheduler.random.bytes(16), scheduler.random.bytes(8)]
  return {
    tenant: brandId<TenantId>(ACCOUNT.tenant),
    mode: ACCOUNT.mode,
    payment,
    call,
    idempotencyKey: key,
    // Every request is one of its own: only the key says that two are the same.
    traceparent: `00-${trace.toString('hex')}-${span.toString('hex')}-01`,
    body: amount === undefined ? {} : { amount },
  }
}
