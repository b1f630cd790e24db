import { canonicalJson } from '#kernel/canonical'
import type { Clock } from '#kernel/clock'
import { Refusal } from '#kernel/errors'
import { brandId, type EventId, type Mode, type TenantId } from '#kernel/ids'
import type { Seal } from '#kernel/seal'
import type { Door, EventType, NewEvent } from '#log'
import type { OperationRequested } from '#payments/events'
import { expiryOf } from './expiry.ts'
import { createMemory } from './memory.ts'
import type { OperationBody } from './operation-request.ts'
import { checkRefundSplits } from './splits.ts'
import { createTurns } from './turns.ts'

export type OperationOffer = {
  readonly tenant: TenantId
  readonly mode: Mode
  readonly payment: string
  readonly call: OperationRequested['call']
  readonly idempotencyKey: string
  readonly body: OperationBody
  readonly traceparent: string
}

export type OperationOutcome = {
  readonly status: 'accepted' | 'repeated' | 'key_reused'
  /** Of the operation. */
  readonly id: string
}

/** Why a payment as it stands does not take an operation. */
const whyNot = {
  not_capturable: 'only an authorized payment can be captured',
  not_cancelable: 'only a payment that is authorized, or waits for its customer, can be canceled',
  not_refundable: 'only money that was captured, and is neither refunded nor disputed, can be refunded',
  operation_under_way: 'another capture or cancellation of it is under way or done',
  refund_under_way: 'another refund of it is under way, and how much it leaves is not known yet: ask again',
  gateway_not_callable: 'its gateway account is not one that is called from here',
  too_many_operations: 'it has as many operations as a payment may have',
} as const

/** What is wrong with the request itself. */
type Wrong = 'amount_too_large' | 'split_unknown' | 'split_exceeded'

export type Judgement =
  | { readonly status: 'payment_not_found' | 'possible' }
  | { readonly status: 'known'; readonly fingerprint: string | null }
  /** `left`: the most that could be asked for, in minor units. */
  | { readonly status: 'impossible'; readonly code: keyof typeof whyNot | Wrong; readonly left?: number }

/** What names a payment; anything else names none, and is asked of nobody. */
const paymentId = /^pay_[0-9a-z]{26}$/

export type AcceptOperationPorts = {
  readonly door: Door
  readonly seal: Pick<Seal, 'digest'>
  readonly clock: Clock
  /** The inbox of `payments`. */
  readonly inbox: EventType<'payment.operation_requested', OperationRequested>
  /** Names an operation: f(payment, call, key). */
  operationId(payment: string, call: string, key: string): string
  /** What is known of it before it is accepted, as of the last commit. The decider has the last word. */
  judge(
    payment: { tenant: string; mode: string; id: string },
    asked: {
      operation: string
      call: OperationRequested['call']
      amount: number | undefined
      splits: OperationRequested['splits'] | undefined
    },
  ): Promise<Judgement>
}

/**
 * Takes a capture, cancellation or refund: once it answers `accepted`, the request is on the log. The operation's id
 * is a pure function of payment, call and idempotency key, so a retry names the same operation.
 * @throws Refusal for what is known to be impossible; it does not use up the key.
 */
export function createAcceptOperation(ports: AcceptOperationPorts) {
  const { seal, clock, judge } = ports
  const memory = createMemory()
  const inTurn = createTurns()

  const accept = async (offer: OperationOffer, id: string): Promise<OperationOutcome> => {
    const { tenant, mode, payment, call, body } = offer
    const fingerprint = seal.digest('fingerprint', tenant, mode, canonicalJson({ call, ...body }))
    const judged = await judge(
      { tenant, mode, id: payment },
      { operation: id, call, amount: body.amount, splits: body.splits },
    )
    // The log has the last word: of two doors that took the key at once, one remembers a body that lost.
    const first = judged.status === 'known' ? judged.fingerprint : memory.find(id, tenant, mode)?.fingerprint
    if (first !== undefined && first !== fingerprint) return { status: 'key_reused', id }
    if (first === undefined) requirePossible(judged)

    const expiresAt = call === 'capture' ? expiryOf(body.expires_at, clock.now()) : undefined
    await ports.door.append([requested(offer, { id, fingerprint, expiresAt }, ports)])
    memory.remember(id, tenant, mode, { fingerprint, rejected: undefined })
    return { status: first === undefined ? 'accepted' : 'repeated', id }
  }

  return async (offer: OperationOffer): Promise<OperationOutcome> => {
    if (!paymentId.test(offer.payment)) throw new Refusal('payment_not_found', { field: 'id' })
    checkRefundSplits(offer.body.splits)
    const id = ports.operationId(offer.payment, offer.call, offer.idempotencyKey)
    return inTurn(id, () => accept(offer, id))
  }
}

function requirePossible(judged: Judgement): void {
  switch (judged.status) {
    case 'payment_not_found':
      throw new Refusal('payment_not_found', { field: 'id' })
    case 'impossible':
      throw refusalOf(judged)
  }
}

function refusalOf({ code, left = 0 }: Extract<Judgement, { status: 'impossible' }>): Refusal {
  switch (code) {
    case 'amount_too_large':
      return new Refusal('amount_too_large', { field: 'amount', detail: `amount must be at most ${left}` })
    case 'split_exceeded':
      return new Refusal('split_exceeded', { field: 'splits' })
    case 'split_unknown': {
      const detail = 'splits must name merchants and accounts that share the payment'
      return new Refusal('body_invalid', { field: 'splits', detail })
    }
    default:
      return new Refusal('payment_state_invalid', { field: 'id', detail: whyNot[code] })
  }
}

function requested(
  { tenant, mode, payment, call, body, traceparent }: OperationOffer,
  { id, fingerprint, expiresAt }: { id: string; fingerprint: string; expiresAt: number | undefined },
  { seal, inbox }: AcceptOperationPorts,
): NewEvent {
  const eventId = brandId<EventId>(`evt_${seal.digest('operation-request', id, fingerprint, traceparent)}`)
  const data: OperationRequested = {
    operation: id,
    call,
    ...(body.amount === undefined ? {} : { amount: body.amount }),
    ...(body.reason === undefined ? {} : { reason: body.reason }),
    ...(body.splits === undefined ? {} : { splits: body.splits }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    fingerprint,
  }
  return {
    id: eventId,
    of: inbox,
    key: payment,
    tenant,
    mode,
    traceparent,
    causationId: null,
    correlationId: eventId,
    data,
  }
}
