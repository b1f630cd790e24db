/** A gateway that does whatever it is asked, however often that is too much: what holds at it, holds by our doing. */

import type { callAnswered, ObjectReport } from '#gateways/events'
import { brandId, type TenantId } from '#kernel/ids'
import type { EventOf, NewDelivery } from '#log'
import type { Decided, PaymentInput } from './conclude.ts'
import { decide } from './decide.ts'
import type { DecidePorts } from './ports.ts'
import type { PaymentRecord } from './sql.ts'

/** What becomes of the call that is next: its answer may be lost, be it done or not. */
export type Fate = 'done' | 'done_and_lost' | 'lost' | 'refused' | 'declined'
export type Wanted = { call: 'capture' | 'cancel' | 'refund'; amount?: number }

export const PAYMENT = 'pay_00000000000000000000000001'
export const HELD = 1000
const NOW = 1_800_000_000_000
const ports: DecidePorts = {
  route: () => 'acme',
  isCallable: () => true,
  operationId: (payment, call, key) => `${payment}/${call}/${key}`,
}

type Answer = EventOf<typeof callAnswered>['data']
type Call = { call: 'authorize' | Wanted['call'] | 'find'; operation: string; amount?: number }

/** One payment, from its authorization on, and the gateway it is executed at. */
export class Played {
  record: PaymentRecord | undefined
  /** What the gateway has done, by the operation it did it for. */
  readonly done: { operation: string; call: string; amount: number }[] = []
  #taken = 0
  #isReleased = false
  readonly #refunds = new Map<string, { id: string; amount: number; status: 'succeeded' | 'failed' }>()
  readonly #calls: NewDelivery[] = []
  /** Told, and not heard yet. */
  readonly #told: ObjectReport[][] = []
  #isInquiryDue = false
  #events = 0
  #asked = 0

  constructor() {
    const risk = { score: 0, reasons: [], isRefused: false }
    const sealed = { fingerprint: 'f', details: 's1.x', paymentMethod: 's1.y' }
    const money = { amount: HELD, currency: 'EUR', captureMode: 'manual' as const, expiresAt: NOW + 1 }
    const data = { ...money, merchant: 'mer_shop', ...sealed, risk }
    this.#take({ ...this.#about('payments.inbox'), type: 'payment.requested', data })
    this.answerNext('done')
  }

  /** Returns the operation's id. */
  ask({ call, amount }: Wanted): string {
    const operation = ports.operationId(PAYMENT, call, String(++this.#asked))
    const data = { operation, call, fingerprint: 'f', ...(amount === undefined ? {} : { amount }) }
    this.#take({ ...this.#about('payments.inbox'), type: 'payment.operation_requested', data })
    return operation
  }

  /** Lets the gateway have the next call, if there is one. */
  answerNext(fate: Fate): void {
    const delivery = this.#calls.shift()
    if (!delivery) return
    const call = delivery.payload as Call
    if (call.call === 'find') {
      const isLost = fate === 'lost' || fate === 'done_and_lost'
      this.#answer(
        call,
        isLost ? { outcome: 'unknown', reports: [] } : { outcome: 'answered', reports: this.holdings() },
      )
      return
    }
    const isDone = fate === 'done' || fate === 'done_and_lost'
    const reports = isDone ? this.#perform(call) : []
    if (fate === 'refused' || fate === 'declined')
      this.#answer(call, { outcome: fate, code: 'gateway_said_no', reports })
    else this.#answer(call, fate === 'done' ? { outcome: 'answered', reports } : { outcome: 'unknown', reports: [] })
  }

  /** A webhook arrives: any that was told, and it may come again. */
  hear(nth: number): void {
    const reports = this.#told[nth % Math.max(1, this.#told.length)]
    if (reports) this.#report(reports)
  }

  inquire(): void {
    if (!this.#isInquiryDue) return
    this.#isInquiryDue = false
    this.#take({ ...this.#about('payments.timers'), type: 'payment.inquiry_due', data: {} })
  }

  /** The bank of the customer sends a refund back. */
  failRefund(nth: number): void {
    const refund = [...this.#refunds.values()].filter(({ status }) => status === 'succeeded')[nth]
    if (!refund) return
    refund.status = 'failed'
    this.#told.push(this.holdings().filter(({ id }) => id === refund.id))
  }

  /** Everything is answered, heard and asked about until nothing is open. */
  settle(): void {
    for (let round = 0; round < 50 && (this.#calls.length > 0 || this.#isInquiryDue); round++) {
      while (this.#calls.length > 0) this.answerNext('done')
      this.inquire()
    }
    for (const reports of this.#told) this.#report(reports)
    this.#report(this.holdings())
  }

  refundedAtGateway(): number {
    return [...this.#refunds.values()].reduce((sum, { amount, status }) => sum + (status === 'failed' ? 0 : amount), 0)
  }

  takenAtGateway(): number {
    return this.#taken
  }

  /** All that the gateway has of the payment, as it stands. */
  holdings(): ObjectReport[] {
    const [isTaken, refunded] = [this.#taken > 0, this.refundedAtGateway()]
    const charge = this.#isReleased ? ('voided' as const) : isTaken ? ('captured' as const) : ('authorized' as const)
    const intent = this.#isReleased
      ? ('canceled' as const)
      : isTaken
        ? ('succeeded' as const)
        : ('requires_capture' as const)
    const money = { amount: HELD, currency: 'EUR' }
    return [
      {
        kind: 'intent',
        id: 'pi_1',
        parents: [],
        currency: 'EUR',
        amount: isTaken ? this.#taken : HELD,
        status: intent,
      },
      { kind: 'charge', id: 'ch_1', parents: ['pi_1'], ...money, status: charge, captured: this.#taken, refunded },
      ...[...this.#refunds].map(([operation, { id, amount, status }]): ObjectReport => {
        return { kind: 'refund', id, parents: ['ch_1', 'pi_1'], currency: 'EUR', amount, status, operation }
      }),
    ]
  }

  #perform({ call, operation, amount = 0 }: Call): ObjectReport[] {
    this.done.push({ operation, call, amount })
    if (call === 'capture') this.#taken = amount
    if (call === 'cancel') this.#isReleased = true
    if (call === 'refund') this.#refunds.set(operation, { id: `re_${this.#refunds.size}`, amount, status: 'succeeded' })
    const reports = this.holdings().filter((report) => report.kind !== 'refund' || report.operation === operation)
    const own = reports.filter(({ kind }) => (call === 'refund' ? kind === 'refund' : kind !== 'refund'))
    this.#told.push(
      own,
      reports.filter(({ kind }) => kind === 'charge'),
    )
    return own
  }

  #answer({ call, operation }: Call, about: Pick<Answer, 'outcome' | 'reports'> & { code?: string }): void {
    const data = { gateway: 'simulated', account: 'acme', merchant: 'mer_shop', call, operation, ...about }
    this.#take({ ...this.#about('gateway.results'), type: 'gateway.call_answered', data })
  }

  #report(reports: ObjectReport[]): void {
    const data = { gateway: 'simulated', account: 'acme', merchant: 'mer_shop', eventId: 'evt_1', reports }
    this.#take({ ...this.#about('gateway.facts'), type: 'gateway.object_reported', data })
  }

  #take(event: PaymentInput): void {
    const { payment, deliveries, timers }: Decided = decide(this.record, event, NOW, ports)
    this.record = payment
    this.#calls.push(...deliveries)
    for (const timer of timers) this.#isInquiryDue = 'schedule' in timer
  }

  #about(topic: string) {
    const id = `evt_${++this.#events}`
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const place = { topic, partition: 0, offset: 0n, key: PAYMENT, time: NOW, version: 1, timer: null }
    const whose = { tenant: brandId<TenantId>('main'), mode: 'test' as const, causationId: null, correlationId: id }
    return { ...place, ...whose, id, traceparent }
  }
}
