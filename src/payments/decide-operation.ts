import { type EventOf, follow, type NewDelivery } from '#log'
import { conclude, type Decided } from './conclude.ts'
import * as events from './events.ts'
import { record } from './fact.ts'
import type { DecidePorts } from './ports.ts'
import { possibilityOf } from './possible.ts'
import type { PaymentRecord } from './sql.ts'
import type { OperationRequest } from './state.ts'

type Requested = EventOf<typeof events.operationRequested>

/**
 * Has the last word on a capture, cancellation or refund: what was possible at the door may have been overtaken.
 * Refused here it is an operation too, and says why.
 */
export function decideOperation(before: PaymentRecord, event: Requested, ports: DecidePorts): Decided {
  const { operation, call, amount, reason, splits, fingerprint } = event.data
  const known = before.state.operations[operation]
  if (known) return repeated(before, event, known.request?.fingerprint)

  const asked = { call, reason: reason ?? null, fingerprint, at: event.time, ...(splits ? { splits } : {}) }
  const possibility = possibilityOf(before.state, { call, amount, splits }, ports.isCallable)
  if (!possibility.isPossible) {
    const currency = before.state.request?.currency ?? null
    const request: OperationRequest = { ...asked, amount: amount ?? null, currency, object: null }
    const begun = record(before.state, { fact: 'executing', operation, account: 'none', request })
    const { code } = possibility
    return conclude(
      before,
      record(begun, { fact: 'ended', operation, account: 'none', outcome: 'refused', code }),
      event,
    )
  }

  const { account, object, currency } = possibility
  const request: OperationRequest = { ...asked, amount: possibility.amount, currency, object }
  const executing = record(before.state, { fact: 'executing', operation, account, request })
  return conclude(before, executing, event, { deliveries: [deliveryOf(event, account, request)] })
}

function deliveryOf(
  event: Requested,
  account: string,
  { call, amount, currency, object }: OperationRequest,
): NewDelivery {
  const { operation, expiresAt } = event.data
  const money = call === 'cancel' ? {} : { amount, currency }
  return {
    id: operation,
    destination: `gateway:${account}`,
    key: event.key,
    payload: { call, operation, payment: event.key, object, ...money },
    notAfter: expiresAt ?? null,
    cause: event,
  }
}

/** The first that is committed under a key stands, as with payments. */
function repeated(before: PaymentRecord, event: Requested, first: string | undefined): Decided {
  const { fingerprint } = event.data
  const fact =
    first === fingerprint
      ? follow(event, events.paymentDuplicateIgnored, { request: event.id })
      : follow(event, events.paymentConflictIgnored, { request: event.id, fingerprint })
  return { payment: before, facts: [fact], timers: [], deliveries: [] }
}
