import type { ReportOf } from '#gateways/events'
import { fromStripeUnits, readAmount } from './currency.ts'
import { mapDispute } from './dispute.ts'
import { mapFee } from './fee.ts'
import { type About, dropped, type Finding, found } from './finding.ts'
import { integerAt, type JsonObject, listAt, objectAt, textAt, valueAt } from './json.ts'
import { joinParents } from './parents.ts'
import { mapRefund } from './refund.ts'
import { codeAt, idAt } from './safe.ts'

type Status = ReportOf<'charge'>['status']

/** A charge, and the fee, refunds and dispute that some versions of the API include in it. */
export function mapCharge(charge: JsonObject, about: About): Finding[] {
  const id = idAt(charge, 'id', about.digest)
  if (id === undefined) return [dropped('charge', 'id_missing')]
  const parents = joinParents([idAt(charge, 'payment_intent', about.digest)], about.parents)
  const below: About = { ...about, parents: [id, ...parents] }
  const dispute = objectAt(charge, 'dispute')
  const money = moneyOf(charge, about.eventType)
  return [
    mapItself(charge, { id, parents, money }),
    ...mapFee(charge, below),
    ...(money.namesRefunds ? listAt(charge, 'refunds').flatMap((refund) => mapRefund(refund, below)) : []),
    ...(dispute === undefined ? [] : mapDispute(dispute, below)),
  ]
}

function mapItself(charge: JsonObject, of: { id: string; parents: string[]; money: Money }): Finding {
  const amount = readAmount(charge, 'amount')
  if (typeof amount === 'string') return dropped('charge', amount)
  const { id, parents, money } = of
  const captured = fromStripeUnits(money.captured, amount.currency)
  const refunded = fromStripeUnits(money.refunded, amount.currency)
  if (money.status === undefined) return dropped('charge', 'status_unknown')
  if (captured === undefined || refunded === undefined) return dropped('charge', 'amount_unrepresentable')
  const failure = codeAt(charge, 'failure_code')
  return found({
    kind: 'charge',
    id,
    parents,
    ...amount,
    status: money.status,
    captured,
    refunded,
    ...(failure === undefined ? {} : { failure }),
  })
}

/** In Stripe's units. */
type Money = {
  readonly status: Status | undefined
  readonly captured: number
  readonly refunded: number
  /** Whether the refunds listed in the charge are money given back, and nothing else. */
  readonly namesRefunds: boolean
}

const nothing = { captured: 0, refunded: 0, namesRefunds: false }

function moneyOf(charge: JsonObject, eventType: string): Money {
  const status = statusOf(charge, eventType)
  return status === 'captured' ? { status, ...capturedMoney(charge, eventType) } : { status, ...nothing }
}

/**
 * Stripe counts the part of an authorization that a partial capture releases into `amount_refunded`
 * and lists it among the refunds, though nobody ever had that money. It is taken out here, and the
 * list, which does not tell the release from a refund, is not used: real refunds have their own events.
 * Before `amount_captured` (2020) only charge.captured, which comes before any refund, tells them apart.
 */
function capturedMoney(charge: JsonObject, eventType: string): Omit<Money, 'status'> {
  const amount = positiveAt(charge, 'amount') ?? 0
  const capturedKnown = positiveAt(charge, 'amount_captured')
  const refundedKnown = positiveAt(charge, 'amount_refunded') ?? (valueAt(charge, 'refunded') === true ? amount : 0)
  const isOldCapture = capturedKnown === undefined && eventType === 'charge.captured'
  const captured = capturedKnown ?? amount - (isOldCapture ? Math.min(refundedKnown, amount) : 0)
  const released = Math.max(0, amount - captured)
  return { captured, refunded: Math.max(0, refundedKnown - released), namesRefunds: released === 0 }
}

/** `succeeded` says that the bank agreed; whether money was taken is said by `captured`, absent before 2013. */
function statusOf(charge: JsonObject, eventType: string): Status | undefined {
  const word = textAt(charge, 'status') ?? statusBefore2015(charge, eventType)
  if (word === 'failed' || word === 'pending') return word
  if (word !== 'succeeded' && word !== 'paid') return undefined
  const captured = valueAt(charge, 'captured') ?? true
  if (typeof captured !== 'boolean') return undefined
  const isCaptured = captured || (integerAt(charge, 'amount_captured') ?? 0) > 0
  if (isCaptured && eventType !== 'charge.expired') return 'captured'
  return isReleased(charge, eventType) ? 'voided' : 'authorized'
}

function statusBefore2015(charge: JsonObject, eventType: string): string | undefined {
  const paid = valueAt(charge, 'paid')
  if (eventType === 'charge.failed' || paid === false) return 'failed'
  return paid === true || valueAt(charge, 'captured') === true || eventType === 'charge.succeeded'
    ? 'succeeded'
    : undefined
}

/** A refund of what was never captured only lets the authorization go. */
function isReleased(charge: JsonObject, eventType: string): boolean {
  if (eventType === 'charge.expired' || valueAt(charge, 'refunded') === true) return true
  const refunded = integerAt(charge, 'amount_refunded') ?? 0
  return refunded > 0 && refunded >= (integerAt(charge, 'amount') ?? 0)
}

function positiveAt(charge: JsonObject, name: string): number | undefined {
  const value = integerAt(charge, name)
  return value === undefined || value < 0 ? undefined : value
}
