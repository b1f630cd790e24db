import { Refusal } from '#kernel/errors'
import { brandId, type TenantId } from '#kernel/ids'
import { EPOCH_MS } from '../machine.ts'
import { ACCOUNT, AMOUNT_MAX, type System } from '../system.ts'
import type { World } from '../world.ts'
import { planOperations, type Wish } from './operations.ts'

export const PAYMENTS = 50
const TRIES_MAX = 8

/** Found in no table: every text of a request that could be personal carries it. */
export const CANARY = 'CANARY'

export type Asked = {
  readonly key: string
  readonly merchant: string
  readonly amount: number
  readonly currency: string
  readonly method: string
  readonly isManual: boolean
  /** Unix milliseconds, where the merchant named it. */
  readonly expiresAt: number | undefined
}

/** What a client was told, once and for all. */
export type Told =
  | { readonly kind: 'accepted' | 'rejected' | 'key_reused'; readonly id: string; readonly asked: Asked }
  /** Nobody ever answered, or only with a no that says nothing about earlier tries. */
  | { readonly kind: 'gave_up'; readonly asked: Asked }

const METHODS = [
  ...Array.from({ length: 114 }, () => 'pm_sim_approve'),
  ...Array.from({ length: 18 }, () => 'pm_sim_decline'),
  ...Array.from({ length: 18 }, () => 'pm_sim_timeout_after_charge'),
  // Three questions and a minute each: one after the other, dear.
  'pm_sim_timeout_before_charge',
  'pm_sim_error_500',
]
const LATER_FATES = ['timeout_after_charge', 'timeout_before_charge', 'error_500_after_charge', 'decline'] as const

/** A payment that will be asked for, and what is to be done with it once it was accepted. */
type Planned = { readonly asked: Asked; readonly wishes: readonly Wish[]; readonly atMs: number }

/** The merchants' requests, spread over three seconds; some keys come twice with two bodies. */
export function planPayments(world: World<System>): Planned[] {
  const { scheduler } = world
  const plan = Array.from({ length: PAYMENTS }, (_, n) => {
    const atMs = 500 * scheduler.below(3)
    const amount = scheduler.chance(0.05) ? AMOUNT_MAX + 1 : 100 + scheduler.below(50_000)
    const asked: Asked = {
      key: `key-${n}`,
      merchant: `mer_${scheduler.below(3)}`,
      amount,
      currency: scheduler.pick(['EUR', 'USD', 'JPY']),
      method: scheduler.pick(METHODS) ?? 'pm_sim_approve',
      isManual: scheduler.chance(0.2),
      expiresAt: scheduler.chance(0.2) ? EPOCH_MS + atMs + 300 + scheduler.below(3_000) : undefined,
    }
    const wishes = planOperations(world, asked)
    return { asked: { ...asked, method: methodFor(world, asked, wishes) }, wishes, atMs }
  })
  const conflicts = plan.slice(0, 2).map(({ asked, atMs }) => {
    return { asked: { ...asked, amount: asked.amount + 1 }, wishes: [], atMs: atMs + 500 * scheduler.below(2) }
  })
  return [...plan, ...conflicts]
}

/** Where something is done with a payment it should come to that, as a rule, and go wrong only then. */
function methodFor({ scheduler }: World<System>, { method }: Asked, [wish]: readonly Wish[]): string {
  if (!wish || scheduler.chance(0.2)) return method
  const fate = scheduler.pick([...LATER_FATES, ...LATER_FATES.map(() => undefined)])
  return fate === undefined ? 'pm_sim_approve' : `pm_sim_on_${wish.call}_${fate}`
}

/** A client that asks until it is answered: with the same key, at whichever process takes it, sometimes once too often. */
export async function request(world: World<System>, asked: Asked): Promise<Told> {
  let told: Told | undefined
  const extra = world.scheduler.chance(0.15) ? 1 : 0
  for (let tries = 0, after = 0; tries < TRIES_MAX; tries++) {
    const outcome = await attempt(world, asked)
    if (outcome && !told) told = outcome
    if (told && after++ >= extra) return told
    if (!outcome) await world.sleep(500, `${asked.key} tries again`)
  }
  return told ?? { kind: 'gave_up', asked }
}

async function attempt(world: World<System>, asked: Asked): Promise<Told | undefined> {
  const target = world.running()
  if (!target) return undefined
  const answer = target.app.acceptPayment(offerOf(asked)).then(
    ({ status, id }): Told => ({ kind: status === 'repeated' ? 'accepted' : status, id, asked }),
    (error): Told | undefined => {
      // Once all clocks are right a no stays a no.
      if (error instanceof Refusal) return world.machine.isCalm ? { kind: 'gave_up', asked } : undefined
      world.scheduler.note(`${asked.key}: ${String(error)}`)
      return undefined
    },
  )
  return world.within(answer, 2_000, `${asked.key} gives up waiting`)
}

function offerOf({ key, merchant, amount, currency, method, isManual, expiresAt }: Asked) {
  return {
    tenant: brandId<TenantId>(ACCOUNT.tenant),
    mode: ACCOUNT.mode,
    idempotencyKey: key,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b9-01',
    body: {
      amount,
      currency,
      merchant,
      customer: `${CANARY} customer ${key}`,
      payment_method: method,
      description: `${CANARY} description`,
      metadata: { order: `${CANARY} ${key}` },
      ...(isManual ? { capture_mode: 'manual' as const } : {}),
      ...(expiresAt === undefined ? {} : { expires_at: new Date(expiresAt).toISOString() }),
    },
  }
}
