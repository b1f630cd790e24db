import type { callAnswered } from '#gateways/events'
import type { EventOf, NewDelivery } from '#log'
import type { PaymentInput } from './conclude.ts'
import { conflictsOf, needsFetch } from './conflict.ts'
import type { DecidePorts } from './ports.ts'
import type { PaymentRecord } from './sql.ts'

/**
 * Ties that disagree are fetched again: a contradiction that has just appeared is put to the gateway, and put
 * again when it did not answer. Only what runs under our reference can be found by it.
 */
export function fetches(
  before: PaymentRecord | undefined,
  { id, state }: PaymentRecord,
  event: PaymentInput,
  ports: DecidePorts,
): NewDelivery[] {
  const isNew = before === undefined || !needsFetch(before.state)
  const isUnanswered =
    event.type === 'gateway.call_answered' && isFetch(before, event) && event.data.outcome === 'unknown'
  if (state.request === null || !(isNew || isUnanswered)) return []
  const open = conflictsOf(state).filter(({ isSettled, account }) => !isSettled && ports.isCallable(account))
  return [...new Set(open.map(({ account }) => account))].map((account) => {
    const operation = ports.operationId(id, `fetch/${account}`, event.id)
    const payload = { call: 'find', operation, payment: id }
    return { id: operation, destination: `gateway:${account}`, key: id, payload, notAfter: null, cause: event }
  })
}

/** The answer to a question about contradictions, and to no operation of the payment. */
export function isFetch(before: PaymentRecord | undefined, { data }: EventOf<typeof callAnswered>): boolean {
  return data.call === 'find' && before?.state.operations[data.operation] === undefined
}
