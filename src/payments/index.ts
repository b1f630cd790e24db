import type * as gatewayEvents from '#gateways/events'
import type { Database, Tx } from '#kernel/database'
import { type Decision, decider, type EventOf, type HandlerContext, type Module } from '#log'
import type { PaymentInput } from './conclude.ts'
import { decide } from './decide.ts'
import { decidePayout } from './decide-payout.ts'
import * as events from './events.ts'
import type { PaymentsPorts } from './ports.ts'
import { renewRisk } from './renew-risk.ts'
import * as sql from './sql.ts'
import { findPayments } from './view.ts'

export { createJudge } from './judge.ts'
export { listPayments } from './list.ts'
export { paymentListRoutes } from './list-routes.ts'
export type { PaymentsPorts } from './ports.ts'
export { paymentRoutes } from './routes.ts'
export { createShow } from './show.ts'
export { findPayments } from './view.ts'

/** Event types of others that this module reads: handed over, because modules share types only. */
export type PaymentsReads = Pick<typeof gatewayEvents, 'objectReported' | 'callAnswered' | 'payoutReported'>

export function createPayments(reads: PaymentsReads, ports: PaymentsPorts): Module {
  return {
    name: 'payments',
    summary: 'Once per key, executed, and in the right state whatever order its news arrive in.',
    events: Object.values(events),
    accepts: [events.paymentRequested, events.operationRequested],
    deciders: [paymentsDecider(reads, ports)],
    facets: [
      { about: 'payment', name: 'payment', show: showPayment },
      { about: 'payment', name: 'operations', show: showOperations },
    ],
    migrations: new URL('./migrations/', import.meta.url),
  }
}

export const inbox = events.paymentRequested
export const operationInbox = events.operationRequested

export function paymentsOfCustomer(database: Database, tenant: string, customer: string): Promise<string[]> {
  return sql.paymentsOfCustomer(database, tenant, customer)
}

async function showPayment(database: Database, ref: sql.PaymentRef) {
  const payments = await findPayments(database, [ref])
  return payments.map(({ status, amount, currency, merchant, captureMode, createdAt, updatedAt }) => {
    const [created_at, updated_at] = [new Date(createdAt), new Date(updatedAt)]
    return { status, amount, currency, merchant, capture_mode: captureMode, created_at, updated_at }
  })
}

async function showOperations(database: Database, ref: sql.PaymentRef) {
  const [payment] = await findPayments(database, [ref])
  return (payment?.operations ?? []).map(({ id, call, account, amount, currency, status, code }) => {
    return { operation: id, call, account, amount, currency, status, code }
  })
}

function paymentsDecider(reads: PaymentsReads, ports: PaymentsPorts) {
  const { inquiryDue, paymentRequested, operationRequested, ...published } = events
  return decider({
    name: 'decide',
    reads: [
      paymentRequested,
      operationRequested,
      inquiryDue,
      reads.objectReported,
      reads.callAnswered,
      reads.payoutReported,
    ],
    publishes: Object.values(published),
    handle: async (batch, context) => {
      const decisions: Decision[] = []
      const payouts = batch.filter((event) => event.type === 'gateway.payout_reported')
      const payments = batch.filter((event) => event.type !== 'gateway.payout_reported')
      if (payments.length > 0) decisions.push(await decidePayments(payments, context, ports))
      if (payouts.length > 0) decisions.push(await decidePayouts(payouts, context.tx))
      return joined(decisions)
    },
  })
}

async function decidePayments(
  batch: readonly PaymentInput[],
  { tx, now }: HandlerContext,
  ports: PaymentsPorts,
): Promise<Decision> {
  const records = await sql.load(tx, batch.map(refOf))
  const renewed = await renewRisk(batch, records, now, ports.assess)
  const decisions = batch.map((event) => {
    const name = sql.refName(refOf(event))
    const decided = decide(records.get(name), event, now, ports, renewed.get(event.id))
    records.set(name, decided.payment)
    return decided
  })
  await sql.store(tx, [...records.values()])
  return joined(decisions)
}

function joined(decisions: readonly Decision[]): Decision {
  return {
    facts: decisions.flatMap(({ facts = [] }) => facts),
    timers: decisions.flatMap(({ timers = [] }) => timers),
    deliveries: decisions.flatMap(({ deliveries = [] }) => deliveries),
  }
}

async function decidePayouts(batch: readonly EventOf<PaymentsReads['payoutReported']>[], tx: Tx): Promise<Decision> {
  const records = await sql.loadPayouts(tx, batch.map(refOf))
  const facts = batch.flatMap((event) => {
    const ref = refOf(event)
    const decided = decidePayout(records.get(sql.refName(ref))?.state, event)
    records.set(sql.refName(ref), { ...ref, state: decided.state })
    return decided.facts
  })
  await sql.storePayouts(tx, [...records.values()])
  return { facts }
}

function refOf({ tenant, mode, key }: { tenant: string; mode: string; key: string }): sql.PaymentRef {
  return { tenant, mode, id: key }
}
