import { invariant } from '#kernel/invariant'
import { type ChargeState, type IntentState, objectKey, type PaymentState, type RefundState } from './state.ts'
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

/** The payment's attempts, in the order of account and root. */
export function lineagesOf(state: PaymentState): Lineage[] {
  const { intents, charges } = state.objects
  const roots = [
    ...Object.values(intents).map(({ account, id }) => ({ account, root: id })),
    ...Object.values(charges).map((charge) => ({ account: charge.account, root: rootOf(charge) })),
  ]
  const byKey = new Map(roots.map((root) => [objectKey(root.account, root.root), root]))
  return [...byKey]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, { account, root }]) => gather(state, account, root))
}

/** How far an attempt has come. Money taken outranks everything; a released hold is over. */
export function phaseOf(lineage: Lineage): Phase {
  const intent = lineage.intent && current(lineage.intent)
  const charges = new Set(lineage.charges.map(current))

  if (intent === 'succeeded' || charges.has('captured') || capturedOf(lineage).size > 0) return 'captured'
  if (intent === 'canceled') return 'canceled'
  if (charges.has('authorized')) return 'authorized'
  if (charges.has('voided')) return 'canceled'
  if (intent === 'requires_capture') return 'authorized'
  if (charges.has('pending')) return 'processing'
  if (charges.has('failed') || intent === 'failed') return 'failed'
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

function gather({ objects }: PaymentState, account: string, root: string): Lineage {
  const charges = Object.values(objects.charges)
    .filter((charge) => charge.account === account && rootOf(charge) === root)
    .sort((one, other) => (one.id < other.id ? -1 : 1))
  const members = new Set([root, ...charges.map(({ id }) => id)])
  const refunds = Object.values(objects.refunds).filter(
    (refund) => refund.account === account && refund.parents.some((parent) => members.has(parent)),
  )
  return { account, root, intent: objects.intents[objectKey(account, root)], charges, refunds }
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
