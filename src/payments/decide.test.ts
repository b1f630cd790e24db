import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ObjectReport } from '#gateways/events'
import { brandId, type TenantId } from '#kernel/ids'
import type { Decided, PaymentInput } from './conclude.ts'
import { decide } from './decide.ts'
import type { DecidePorts } from './ports.ts'
import { renewRisk } from './renew-risk.ts'

const ports: DecidePorts = {
  route: () => 'acme',
  isCallable: () => true,
  operationId: (payment, call, key) => `${payment}/${call}/${key}`,
}

const NOW = 1_800_000_000_000
const PAY = 'pay_00000000000000000000000001'

let events = 0
function about(topic: string) {
  const id = `evt_${++events}`
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const place = { topic, partition: 0, offset: 0n, key: PAY, time: NOW, version: 1, timer: null }
  return {
    ...place,
    id,
    tenant: brandId<TenantId>('main'),
    mode: 'test' as const,
    traceparent,
    causationId: null,
    correlationId: id,
  }
}

type Requested = Extract<PaymentInput, { type: 'payment.requested' }>
function requested(changed: Partial<Requested['data']> = {}): Requested {
  const risk = { score: 0.1, reasons: [], isRefused: false }
  const data = {
    amount: 1000,
    currency: 'EUR',
    merchant: 'mer_shop',
    captureMode: 'automatic' as const,
    expiresAt: NOW + 60_000,
  }
  const sealed = { fingerprint: 'f1', details: 's1.x', paymentMethod: 's1.y' }
  return { ...about('payments.inbox'), type: 'payment.requested', data: { ...data, ...sealed, risk, ...changed } }
}

type Answered = Extract<PaymentInput, { type: 'gateway.call_answered' }>
function answered(outcome: Answered['data']['outcome'], changed: Partial<Answered['data']> = {}): Answered {
  const call = { call: 'authorize' as const, operation: `${PAY}/authorize/1`, reports: [] as ObjectReport[] }
  const data = { gateway: 'simulated', account: 'acme', merchant: 'mer_shop', outcome, ...call, ...changed }
  return { ...about('gateway.results'), type: 'gateway.call_answered', data }
}

function reported(...reports: ObjectReport[]): PaymentInput {
  const data = { gateway: 'simulated', account: 'acme', merchant: 'mer_shop', eventId: 'evt_1', reports }
  return { ...about('gateway.facts'), type: 'gateway.object_reported', data }
}

const inquiryDue = (): PaymentInput => ({ ...about('payments.timers'), type: 'payment.inquiry_due', data: {} })

const captured: ObjectReport = {
  kind: 'charge',
  id: 'ch_1',
  parents: ['pi_1'],
  amount: 1000,
  currency: 'EUR',
  status: 'captured',
  captured: 1000,
  refunded: 0,
}

/** The last of the decisions that these events lead to, one after the other. */
function after(...inputs: PaymentInput[]): Decided {
  let decided: Decided | undefined
  for (const event of inputs) decided = decide(decided?.payment, event, NOW, ports)
  assert.ok(decided)
  return decided
}

const types = ({ facts }: Decided): string[] => facts.map(({ of }) => of.type)

describe('a request', () => {
  test('is executed once, at the routed account, and not after its time', () => {
    const decided = after(requested())
    assert.deepEqual(types(decided), ['payment.created', 'payment.operation_changed'])
    assert.equal(decided.payment.status, 'pending')
    const [call, ...others] = decided.deliveries
    assert.deepEqual(
      [call?.destination, call?.id, call?.notAfter, others],
      ['gateway:acme', `${PAY}/authorize/1`, NOW + 60_000, []],
    )
  })

  test('again is told as a duplicate, with another body as a conflict, and neither does anything', () => {
    for (const [fingerprint, fact] of [
      ['f1', 'payment.duplicate_ignored'],
      ['f2', 'payment.conflict_ignored'],
    ] as const) {
      const decided = after(requested(), requested({ fingerprint }))
      assert.deepEqual([types(decided), decided.deliveries, decided.timers], [[fact], [], []])
      assert.equal(decided.payment.fingerprint, 'f1')
    }
  })

  test('that the risk rules refused spends its key and calls nobody', () => {
    const decided = after(requested({ risk: { score: 0.99, reasons: ['customer_velocity'], isRefused: true } }))
    assert.deepEqual(types(decided), ['payment.created', 'payment.rejected'])
    assert.deepEqual([decided.payment.status, decided.deliveries], ['rejected', []])
  })

  test('whose time is up when it is decided is expired', () => {
    const decided = after(requested({ expiresAt: NOW - 1 }))
    assert.deepEqual([decided.payment.status, decided.deliveries], ['expired', []])
    assert.deepEqual(types(decided), ['payment.created', 'payment.status_changed'])
  })

  test('that no account executes fails, and says so', () => {
    const decided = decide(undefined, requested(), NOW, { ...ports, route: () => undefined })
    assert.deepEqual([decided.payment.status, decided.deliveries], ['failed', []])
    assert.deepEqual(decided.facts.at(-1)?.data, { from: 'pending', to: 'failed', code: 'no_gateway' })
  })

  test('that a gateway reported on before it was decided is not executed again', () => {
    const decided = after(reported(captured), requested())
    assert.deepEqual([decided.payment.status, decided.deliveries], ['captured', []])
  })

  test('that is split has what was booked before it shared, and taken back from whose it was taken for', () => {
    const splits = [{ merchant: 'mer_seller', amount: 600 }]
    const { facts } = after(reported(captured), requested({ merchant: 'mer_books', splits }))
    const movements = facts.filter(({ of }) => of.type === 'payment.captured').map(({ data }) => Object(data))
    assert.deepEqual(
      movements.map(({ merchant, delta, revision, splits: shared }) => [merchant, delta, revision, shared]),
      [
        ['mer_shop', -1000, 2, undefined],
        ['mer_books', 1000, 3, [{ merchant: 'mer_seller', delta: 600 }]],
      ],
    )
  })
})

describe('an answer', () => {
  test('books what was captured, and its webhook changes nothing more', () => {
    const decided = after(requested(), answered('answered', { reports: [captured] }))
    assert.deepEqual(
      [decided.payment.status, types(decided)],
      ['captured', ['payment.operation_changed', 'payment.captured']],
    )
    const repeated = after(requested(), answered('answered', { reports: [captured] }), reported(captured))
    assert.deepEqual([types(repeated), repeated.deliveries], [[], []])
  })

  test('of a decline fails the payment, with its code', () => {
    const decided = after(requested(), answered('declined', { code: 'insufficient_funds' }))
    assert.deepEqual(decided.facts.at(-1)?.data, { from: 'pending', to: 'failed', code: 'insufficient_funds' })
  })

  test('that never came leaves the payment unknown, and is asked about', () => {
    const unknown = after(requested(), answered('unknown'))
    assert.equal(unknown.payment.status, 'unknown')
    assert.equal(unknown.timers.length, 1)
    const asked = after(requested(), answered('unknown'), inquiryDue())
    assert.deepEqual(
      asked.deliveries.map(({ payload }) => payload),
      [{ call: 'find', operation: `${PAY}/authorize/1`, payment: PAY }],
    )
  })

  test('that a gateway has never heard of three times means that it did not get the call', () => {
    const absent = [1, 2, 3].flatMap(() => [inquiryDue(), answered('absent', { call: 'find' })])
    const decided = after(requested(), answered('unknown'), ...absent)
    assert.equal(decided.payment.status, 'failed')
    const early = after(requested(), answered('unknown'), ...absent.slice(0, 4))
    assert.equal(early.payment.status, 'unknown')
  })

  // After a crash past the idempotency window a call is only asked about: its first answer is that nobody knows of it.
  test('that begins with "never heard of it" is asked about again, not waited for', () => {
    const decided = after(requested(), answered('absent'))
    assert.deepEqual([decided.payment.status, decided.timers.length], ['unknown', 1])
  })

  test('found by asking captures once and lets go of the timer', () => {
    const found = answered('answered', { call: 'find', reports: [captured] })
    const decided = after(requested(), answered('unknown'), inquiryDue(), found)
    assert.equal(decided.payment.status, 'captured')
    assert.deepEqual(decided.timers, [{ cancel: `payments/inquiry/main/test/${PAY}` }])
  })

  test('of money comes too late for nothing: it is real', () => {
    const decided = after(requested({ expiresAt: NOW - 1 }), reported(captured))
    assert.deepEqual([decided.payment.status, types(decided)], ['captured', ['payment.captured']])
  })
})

describe('an operation', () => {
  const refund = (changed: object = {}): PaymentInput => {
    const data = { operation: 'op_r', call: 'refund' as const, amount: 400, fingerprint: 'f1', ...changed }
    return { ...about('payments.inbox'), type: 'payment.operation_requested', data }
  }
  const paid = [requested(), answered('answered', { reports: [captured] })]
  const lost = [...paid, refund(), answered('unknown', { call: 'refund', operation: 'op_r' })]
  const found = (outcome: Answered['data']['outcome'], reports: ObjectReport[] = []) =>
    answered(outcome, { call: 'find', operation: 'op_r', reports })
  const standings = ({ facts }: Decided) =>
    facts.flatMap(({ of, data }) =>
      of.type === 'payment.operation_changed' ? [(data as { status: string }).status] : [],
    )

  test('is sent once, behind what was asked before, and never too late where it charges', () => {
    const decided = after(...paid, refund())
    const payload = { call: 'refund', operation: 'op_r', payment: PAY, object: 'ch_1', amount: 400, currency: 'EUR' }
    assert.deepEqual(
      decided.deliveries.map(({ id, key, payload: sent, notAfter }) => [id, key, sent, notAfter]),
      [['op_r', PAY, payload, null]],
    )
    const authorized: ObjectReport = { ...captured, status: 'authorized', captured: 0 }
    const capture = refund({ call: 'capture', expiresAt: NOW + 5 })
    const held = after(requested(), answered('answered', { reports: [authorized] }), capture)
    assert.equal(held.deliveries[0]?.notAfter, NOW + 5)
    const late = answered('expired', { call: 'capture', operation: 'op_r' })
    const expired = after(requested(), answered('answered', { reports: [authorized] }), capture, late)
    assert.deepEqual([expired.payment.status, standings(expired)], ['authorized', ['refused']])
  })

  test('under the same key is a duplicate or a conflict, and nothing is done again', () => {
    const again = after(...paid, refund(), refund())
    assert.deepEqual([types(again), again.deliveries], [['payment.duplicate_ignored'], []])
    const other = after(...paid, refund(), refund({ fingerprint: 'f2', amount: 500 }))
    assert.deepEqual([types(other), other.deliveries], [['payment.conflict_ignored'], []])
  })

  test('that was overtaken is refused as a fact, and sent nowhere', () => {
    const decided = after(...paid, refund(), refund({ operation: 'op_2', amount: 700 }))
    assert.deepEqual([standings(decided), decided.deliveries], [['refused'], []])
    const [fact] = decided.facts
    assert.ok(fact !== undefined && JSON.stringify(fact.data).includes('"amount_too_large"'))
  })

  test('of which nobody knows is asked about, and that the gateway knows the payment is no yes', () => {
    const unknown = after(...lost)
    assert.deepEqual([standings(unknown), unknown.timers.length], [['unknown'], 1])
    const early = after(...lost, inquiryDue(), found('answered', [captured]))
    assert.deepEqual([standings(early), early.timers.length], [[], 1])
    const asked = [1, 2, 3].flatMap(() => [inquiryDue(), found('answered', [captured])])
    assert.deepEqual(standings(after(...lost, ...asked)), ['refused'])
  })

  test('that is found at the gateway has succeeded, by our name for it alone', () => {
    const report: ObjectReport = {
      kind: 'refund',
      id: 're_1',
      parents: ['ch_1'],
      amount: 400,
      currency: 'EUR',
      status: 'succeeded',
    }
    const decided = after(...lost, inquiryDue(), found('answered', [captured, { ...report, operation: 'op_r' }]))
    assert.deepEqual(standings(decided), ['succeeded'])
    assert.deepEqual(decided.timers, [{ cancel: `payments/inquiry/main/test/${PAY}` }])
    assert.deepEqual(standings(after(...lost, inquiryDue(), found('answered', [captured, report]))), [])
  })

  // A revoked API key, or a gateway that has lost what it told of: silence and refusal of a question are no answer.
  test('is never given up because the gateway would not be asked', () => {
    for (const outcome of ['refused', 'absent', 'unknown'] as const) {
      const asked = Array.from({ length: 9 }, () => [inquiryDue(), found(outcome)]).flat()
      const decided = after(...lost, ...asked)
      assert.deepEqual([standings(decided), decided.timers.length], [[], 1], outcome)
    }
    const refused = after(requested(), answered('unknown'), inquiryDue(), answered('refused', { call: 'find' }))
    assert.deepEqual([refused.payment.status, refused.timers.length], ['unknown', 1])
  })
})

describe('a verdict on the risk that is too old', () => {
  test('is replaced by the new one, which refuses or lets pass', () => {
    const harmless = { score: 0.2, reasons: ['seen_before'], isRefused: false }
    const passed = decide(undefined, requested(), NOW, ports, harmless)
    assert.deepEqual(types(passed).slice(0, 2), ['payment.created', 'payment.risk_renewed'])
    assert.equal(passed.deliveries.length, 1)
    const refused = decide(undefined, requested(), NOW, ports, { ...harmless, score: 1, isRefused: true })
    assert.deepEqual(types(refused), ['payment.created', 'payment.risk_renewed', 'payment.rejected'])
    assert.deepEqual([refused.payment.status, refused.deliveries], ['rejected', []])
  })

  test('is renewed once older than five minutes, for what is about to be executed alone', async () => {
    const assess = async () => ({ score: 0.5, reasons: [], isRefused: false })
    const renewedAt = async (now: number, event: Requested, known: Decided[] = []) => {
      const records = new Map(known.map(({ payment }) => [`main/test/${payment.id}`, payment]))
      return (await renewRisk([event], records, now, assess)).size
    }
    const minute = 60_000
    const patient = requested({ expiresAt: NOW + 60 * minute })
    assert.equal(await renewedAt(NOW + 5 * minute, patient), 0)
    assert.equal(await renewedAt(NOW + 5 * minute + 1, patient), 1)
    assert.equal(await renewedAt(NOW + 61 * minute, patient), 0, 'expired')
    assert.equal(await renewedAt(NOW + 6 * minute, patient, [after(patient)]), 0, 'executed before')
    const spooled = { ...patient.data.risk, assessedAt: NOW - 6 * minute }
    assert.equal(await renewedAt(NOW + 1, requested({ ...patient.data, risk: spooled })), 1, 'it waited in a spool')
    const refused = { score: 1, reasons: [], isRefused: true }
    assert.equal(await renewedAt(NOW + 6 * minute, requested({ ...patient.data, risk: refused })), 0, 'refused before')
  })
})

describe('reports that contradict each other', () => {
  const intent = (status: 'succeeded' | 'canceled'): ObjectReport => {
    return { kind: 'intent', id: 'pi_1', parents: [], amount: 1000, currency: 'EUR', status }
  }
  const [succeeded, canceled] = [intent('succeeded'), intent('canceled')]
  const disagreement = [requested(), reported(succeeded), reported(canceled)]

  test('are put to the gateway once', () => {
    const decided = after(...disagreement)
    assert.deepEqual(
      decided.deliveries.map(({ destination }) => destination),
      ['gateway:acme'],
    )
    assert.deepEqual(after(...disagreement, reported(canceled)).deliveries, [])
  })

  test('are put again when it did not answer, and settled when it did', () => {
    const operation = after(...disagreement).deliveries[0]?.id ?? ''
    const silence = answered('unknown', { call: 'find', operation })
    assert.equal(after(...disagreement, silence).deliveries.length, 1)
    const settled = after(...disagreement, answered('answered', { call: 'find', operation, reports: [canceled] }))
    assert.deepEqual([settled.payment.status, settled.deliveries], ['canceled', []])
  })

  test('are not put to a gateway that cannot be called', () => {
    const deaf = { ...ports, isCallable: () => false }
    const before = after(requested(), reported(succeeded)).payment
    assert.deepEqual(decide(before, reported(canceled), NOW, deaf).deliveries, [])
  })
})
