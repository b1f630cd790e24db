import { invariant } from '#kernel/invariant'
import {
  type ChargeState,
  type IntentState,
  type ObjectKey,
  objectKey,
  type PaymentObjects,
  type PaymentState,
  type RefundState,
} from './state.ts'
import { currencyOf, current } from './tracked.ts'

/** One attempt as a gateway keeps it: an intent with its charges, or a charge that has no intent. */
export type Lineage = {
  readonly account: string
  /** The intent's id, known by its charges even before it reports itself; else the charge's own. */
  readonly root: string
  readonly intent: IntentState | undefined
  readonly charges: readonly ChargeState[]
  readonly refunds: readonly RefundState[]
}

export type Phase = 'captured' | 'authorized' | 'processing' | 'canceled' | 'failed' | 'open'

export type Amounts = ReadonlyMap<string, number>

/** The payment's attempts, in the order of account and root. Each decision asks for those of one state several times. */
export function lineagesOf({ objects }: PaymentState): readonly Lineage[] {
  if (objects !== last.objects) last = { objects, lineages: gather(objects) }
  return last.lineages
}

let last: { readonly objects: PaymentObjects | undefined; readonly lineages: readonly Lineage[] } = {
  objects: undefined,
  lineages: [],
}

/** How far an attempt has come. Money taken outranks everything; a released hold is over. */
export function phaseOf(lineage: Lineage): Phase {
  const intent = lineage.intent && current(lineage.intent)
  const charges = lineage.charges.map(current)

  if (intent === 'succeeded' || charges.includes('captured') || capturedOf(lineage).size > 0) return 'captured'
  if (intent === 'canceled') return 'canceled'
  if (charges.includes('authorized')) return 'authorized'
  if (charges.includes('voided')) return 'canceled'
  if (intent === 'requires_capture') return 'authorized'
  if (charges.includes('pending')) return 'processing'
  if (charges.includes('failed') || intent === 'failed') return 'failed'
  return intent === 'processing' ? 'processing' : 'open'
}

/**
 * What was taken, by currency. Charges know it best: an intent that has succeeded may still name the
 * amount it asked for, of which only a part was captured. So it counts only until a charge speaks.
 */
export function capturedOf({ intent, charges }: Lineage): Amounts {
  const taken = sumByCurrency(charges.map((charge) => [currencyOf(charge), takenBy(charge)]))
  if (taken.size > 0 || intent === undefined || current(intent) !== 'succeeded') return taken
  return sumByCurrency([[currencyOf(intent), intent.received]])
}

/**
 * What charges say was refunded and no refund accounts for yet, by currency: the least it can be.
 * Refunds that failed count as accounted for, since the charge's figure is its highest ever. Where a
 * part only was captured, gateways count the released rest as refunded; it never was money.
 */
export function unidentifiedOf({ charges, refunds }: Lineage): Amounts {
  if (charges.every(({ refunded }) => refunded === 0)) return NONE
  const said = sumByCurrency(
    charges.map((charge) => {
      const taken = takenBy(charge)
      const released = Math.max(0, charge.amount - taken)
      return [currencyOf(charge), taken === 0 ? 0 : Math.min(taken, Math.max(0, charge.refunded - released))]
    }),
  )
  const named = sumByCurrency(refunds.map((refund) => [currencyOf(refund), refund.amount]))
  return sumByCurrency(
    [...said].map(([currency, amount]) => [currency, Math.max(0, amount - (named.get(currency) ?? 0))]),
  )
}

const NONE: Amounts = new Map()

/** Zeros left out. */
export function sumByCurrency(amounts: readonly (readonly [currency: string, amount: number])[]): Amounts {
  const sums = new Map<string, number>()
  for (const [currency, amount] of amounts) {
    const sum = (sums.get(currency) ?? 0) + amount
    invariant(Number.isSafeInteger(sum), 'the amounts of a payment add up to a safe integer')
    if (sum !== 0) sums.set(currency, sum)
  }
  return sums
}

function gather({ intents, charges, refunds }: PaymentObjects): Lineage[] {
  const attempts = new Map<ObjectKey, Lineage & { readonly charges: ChargeState[] }>()
  for (const intent of Object.values(intents)) {
    const { account, id } = intent
    attempts.set(objectKey(account, id), { account, root: id, intent, charges: [], refunds: [] })
  }
  for (const charge of Object.values(charges)) {
    const [account, root] = [charge.account, rootOf(charge)]
    const key = objectKey(account, root)
    const attempt = attempts.get(key)
    if (attempt) attempt.charges.push(charge)
    else attempts.set(key, { account, root, intent: undefined, charges: [charge], refunds: [] })
  }
  return [...attempts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, attempt]) => withRefunds(attempt, Object.values(refunds)))
}

function withRefunds({ account, root, intent, charges }: Lineage, all: readonly RefundState[]): Lineage {
  const sorted = [...charges].sort((one, other) => (one.id < other.id ? -1 : 1))
  const members = [root, ...sorted.map(({ id }) => id)]
  const refunds = all.filter(
    (refund) => refund.account === account && refund.parents.some((parent) => members.includes(parent)),
  )
  return { account, root, intent, charges: sorted, refunds }
}

/** A failed or voided charge took nothing; old API versions mark failed ones as captured. */
function takenBy(charge: ChargeState): number {
  const status = current(charge)
  return status === 'captured' || status === 'authorized' ? charge.captured : 0
}

/** The only parent a charge can have is its intent. */
function rootOf(charge: ChargeState): string {
  return charge.parents[0] ?? charge.id
}
