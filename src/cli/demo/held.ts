import { isObject, type JsonObject, objectAt, textAt, valueAt } from '#gateways/stripe'
import { getFrom, type Stage } from './stage.ts'

export type HeldRefund = { readonly operation: string; readonly amount: number; readonly isMade: boolean }
export type HeldDispute = {
  readonly amount: number
  readonly status: string
  readonly fees: number
  readonly took: boolean
}

/** What the acquirer holds under a payment of ours, as its own API says. The gateway's units are minor units here. */
export type Held = {
  readonly intents: number
  /** Of the intent; undefined where there is none. */
  readonly status: string | undefined
  readonly currency: string
  readonly captured: number
  readonly fee: number
  readonly refunds: readonly HeldRefund[]
  readonly disputes: readonly HeldDispute[]
}

export async function heldUnder(stage: Stage, payment: string): Promise<Held> {
  const list = await getFrom(stage, `${stage.acquirer.url}/v1/objects?reference=${payment}`)
  const objects = isObject(list) ? listIn(list, 'data') : []
  const kind = (name: string): JsonObject[] => objects.filter((object) => textAt(object, 'object') === name)
  const intents = kind('payment_intent')
  const charges = partsOf(intents, 'latest_charge')
  const captured = charges.filter((charge) => valueAt(charge, 'captured') === true)
  return {
    intents: intents.length,
    status: intents[0] && textAt(intents[0], 'status'),
    currency: (intents[0] && textAt(intents[0], 'currency')) ?? '',
    captured: sumOf(captured, 'amount_captured'),
    fee: sumOf(partsOf(captured, 'balance_transaction'), 'fee'),
    refunds: kind('refund').map(refundIn),
    disputes: kind('dispute').map(disputeIn),
  }
}

/** What the platform must say of the payment. */
export function statusOf({ status, captured, refunds, disputes }: Held): string {
  if (disputes.some(({ took, status: outcome }) => took && outcome !== 'won')) return 'disputed'
  const returned = refundedOf(refunds)
  if (returned > 0) return returned >= captured ? 'refunded' : 'partially_refunded'
  switch (status) {
    case 'succeeded':
      return 'captured'
    case 'requires_capture':
      return 'authorized'
    case 'canceled':
      return 'canceled'
    default:
      return 'failed'
  }
}

export function refundedOf(refunds: readonly HeldRefund[]): number {
  return refunds.reduce((sum, { amount, isMade }) => sum + (isMade ? amount : 0), 0)
}

function refundIn(refund: JsonObject): HeldRefund {
  const operation = textAt(objectAt(refund, 'metadata') ?? {}, 'millrace_operation') ?? ''
  return { operation, amount: numberAt(refund, 'amount'), isMade: textAt(refund, 'status') === 'succeeded' }
}

function disputeIn(dispute: JsonObject): HeldDispute {
  const moves = listIn(dispute, 'balance_transactions')
  const status = textAt(dispute, 'status') ?? ''
  return { amount: numberAt(dispute, 'amount'), status, fees: sumOf(moves, 'fee'), took: moves.length > 0 }
}

function listIn(object: JsonObject, name: string): JsonObject[] {
  const list = valueAt(object, name)
  return Array.isArray(list) ? list.filter(isObject) : []
}

function partsOf(objects: readonly JsonObject[], name: string): JsonObject[] {
  return objects.map((object) => objectAt(object, name)).filter((part) => part !== undefined)
}

function sumOf(objects: readonly JsonObject[], name: string): number {
  return objects.reduce((sum, object) => sum + numberAt(object, name), 0)
}

function numberAt(object: JsonObject, name: string): number {
  const value = valueAt(object, name)
  return typeof value === 'number' ? value : 0
}
