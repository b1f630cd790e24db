import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { ObjectReport } from '#gateways/events'
import type { JsonObject } from './json.ts'
import { type MappedEvent, mapStripeEvent, mapStripeObject } from './map.ts'

const digest = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 26)

function map(type: string, object: unknown, about: JsonObject = {}): MappedEvent {
  const mapped = mapStripeEvent({ id: 'evt_1', object: 'event', type, data: { object }, ...about }, digest)
  assert.notEqual(mapped, 'not_an_event')
  if (mapped === 'not_an_event') throw new Error('unreachable')
  return mapped
}

const intent = { id: 'pi_1', object: 'payment_intent', amount: 1500, currency: 'eur', status: 'succeeded' }
const charge = {
  id: 'ch_1',
  object: 'charge',
  amount: 1500,
  amount_captured: 1500,
  amount_refunded: 0,
  captured: true,
  currency: 'eur',
  payment_intent: 'pi_1',
  status: 'succeeded',
}
const refund = { id: 're_1', object: 'refund', amount: 400, currency: 'eur', charge: 'ch_1', status: 'succeeded' }
const dispute = {
  id: 'du_1',
  object: 'dispute',
  amount: 1500,
  currency: 'eur',
  charge: 'ch_1',
  balance_transactions: [],
}
const payout = { id: 'po_1', object: 'payout', amount: 9000, currency: 'eur', status: 'paid' }

test('an intent that succeeded is money, also without a charge in it', () => {
  const mapped = map('payment_intent.succeeded', { ...intent, latest_charge: 'ch_1' })
  assert.deepEqual(mapped.reports, [
    { kind: 'intent', id: 'pi_1', parents: [], amount: 1500, currency: 'EUR', status: 'succeeded' },
  ])
  assert.equal(mapped.root, 'pi_1')
})

test('an intent that received less than it asked for says what it received', () => {
  const [report] = map('payment_intent.succeeded', { ...intent, amount_received: 900 }).reports
  assert.equal(report?.amount, 900)
})

test('the charges of an intent are reported, listed or expanded', () => {
  for (const within of [{ charges: { object: 'list', data: [charge] } }, { latest_charge: charge }]) {
    const { reports } = map('payment_intent.succeeded', { ...intent, ...within })
    assert.deepEqual(
      reports.map(({ kind, id, parents }) => [kind, id, parents]),
      [
        ['intent', 'pi_1', []],
        ['charge', 'ch_1', ['pi_1']],
      ],
    )
  }
})

test('old names of an intent state are understood', () => {
  const statusOf = (status: string) => map('payment_intent.created', { ...intent, status }).reports[0]
  assert.deepEqual(
    ['requires_source', 'requires_source_action', 'processing'].map((status) => {
      const report = statusOf(status)
      return report?.kind === 'intent' && report.status
    }),
    ['requires_payment_method', 'requires_action', 'processing'],
  )
})

test('an intent that is back at the beginning with an error has failed', () => {
  const statusOf = (error: JsonObject | null) => {
    const asked = { ...intent, status: 'requires_payment_method', last_payment_error: error }
    const [report] = map('payment_intent.payment_failed', asked).reports
    return report?.kind === 'intent' && report.status
  }
  assert.equal(statusOf({ code: 'payment_intent_authentication_failure' }), 'failed')
  assert.equal(statusOf(null), 'requires_payment_method')
})

const chargeRows: [string, string, JsonObject, { status: string; captured: number; refunded: number }][] = [
  ['captured at once', 'charge.succeeded', {}, { status: 'captured', captured: 1500, refunded: 0 }],
  ['pending', 'charge.pending', { status: 'pending' }, { status: 'pending', captured: 0, refunded: 0 }],
  ['failed', 'charge.failed', { status: 'failed', captured: true }, { status: 'failed', captured: 0, refunded: 0 }],
  [
    'authorized',
    'charge.succeeded',
    { captured: false, amount_captured: 0 },
    { status: 'authorized', captured: 0, refunded: 0 },
  ],
  [
    'let go without a capture',
    'charge.refunded',
    { captured: false, amount_captured: 0, refunded: true, amount_refunded: 1500 },
    { status: 'voided', captured: 0, refunded: 0 },
  ],
  [
    'expired',
    'charge.expired',
    { captured: false, amount_captured: 0 },
    { status: 'voided', captured: 0, refunded: 0 },
  ],
  [
    'partly captured, the rest released',
    'charge.captured',
    { amount_captured: 1000, amount_refunded: 500 },
    { status: 'captured', captured: 1000, refunded: 0 },
  ],
  [
    'partly captured, then partly refunded',
    'charge.refunded',
    { amount_captured: 1000, amount_refunded: 700 },
    { status: 'captured', captured: 1000, refunded: 200 },
  ],
  [
    'partly captured before amount_captured existed',
    'charge.captured',
    { amount_captured: undefined, amount_refunded: 500 },
    { status: 'captured', captured: 1000, refunded: 0 },
  ],
  [
    'captured before amount_captured and status existed',
    'charge.succeeded',
    { amount_captured: undefined, status: undefined, paid: true },
    { status: 'captured', captured: 1500, refunded: 0 },
  ],
  [
    'failed before status existed',
    'charge.failed',
    { amount_captured: undefined, status: undefined, paid: false, captured: false },
    { status: 'failed', captured: 0, refunded: 0 },
  ],
  [
    'refunded in full, without the amount',
    'charge.refunded',
    { refunded: true, amount_refunded: undefined },
    { status: 'captured', captured: 1500, refunded: 1500 },
  ],
]
for (const [name, type, about, expected] of chargeRows) {
  test(`a charge ${name}`, () => {
    const [report] = map(type, { ...charge, ...about }).reports
    assert.ok(report?.kind === 'charge')
    const { status, captured, refunded } = report
    assert.deepEqual({ status, captured, refunded }, expected)
  })
}

test('a charge that does not say whether it was captured claims no money', () => {
  const { reports, dropped } = map('charge.updated', { ...charge, captured: 'yes' })
  assert.deepEqual([reports, dropped], [[], [{ kind: 'charge', reason: 'status_unknown' }]])
})

test('a charge brings its fee, its refunds and its dispute where they are included', () => {
  const { reports, root } = map('charge.refunded', {
    ...charge,
    payment_intent: { ...intent, metadata: {} },
    balance_transaction: { id: 'txn_1', fee: 52, currency: 'usd' },
    refunds: { data: [{ ...refund, charge: undefined }] },
    dispute: { ...dispute, charge: undefined, status: 'needs_response' },
  })
  assert.equal(root, 'pi_1')
  assert.deepEqual(
    reports.map(({ kind, id, parents, amount, currency }) => [kind, id, parents, amount, currency]),
    [
      ['charge', 'ch_1', ['pi_1'], 1500, 'EUR'],
      ['fee', 'txn_1', ['ch_1', 'pi_1'], 52, 'USD'],
      ['refund', 're_1', ['ch_1', 'pi_1'], 400, 'EUR'],
      ['dispute', 'du_1', ['ch_1', 'pi_1'], 1500, 'EUR'],
    ],
  )
})

test('what a partial capture releases is not listed as a refund', () => {
  const about = { amount_captured: 1000, amount_refunded: 500, refunds: { data: [{ ...refund, amount: 500 }] } }
  assert.deepEqual(
    map('charge.captured', { ...charge, ...about }).reports.map(({ kind }) => kind),
    ['charge'],
  )
})

test('a refund leads to its intent, else to its charge, else to itself', () => {
  const rootOf = (about: JsonObject) => map('refund.created', { ...refund, ...about }).root
  assert.equal(rootOf({ payment_intent: 'pi_1' }), 'pi_1')
  assert.equal(rootOf({ charge }), 'pi_1')
  assert.equal(rootOf({ payment_intent: null }), 'ch_1')
  assert.equal(rootOf({ charge: null }), 're_1')
})

test('charge.refund.updated speaks of a refund', () => {
  const [report] = map('charge.refund.updated', {
    ...refund,
    status: 'failed',
    failure_reason: 'lost_or_stolen_card',
  }).reports
  assert.ok(report?.kind === 'refund')
  assert.deepEqual([report.status, report.failure], ['failed', 'lost_or_stolen_card'])
})

test('a refund names the operation of ours that asked for it, and nothing else that stands there', () => {
  const operationOf = (millrace_operation: unknown) => {
    const [report] = map('refund.created', { ...refund, metadata: { millrace_operation } }).reports
    return report !== undefined && 'operation' in report ? report.operation : undefined
  }
  assert.equal(operationOf(`op_${'a'.repeat(26)}`), `op_${'a'.repeat(26)}`)
  for (const odd of [undefined, '', 7, 'op_ada@example.com', `op_${'A'.repeat(26)}`])
    assert.equal(operationOf(odd), undefined)
})

test('a refund from before refunds had a status was made', () => {
  const [report] = map('charge.refund.updated', { ...refund, status: undefined }).reports
  assert.equal(report?.kind === 'refund' && report.status, 'succeeded')
})

const negative = { id: 'txn_1', amount: -1500, fee: 1500, currency: 'eur' }
const positive = { id: 'txn_2', amount: 1500, fee: 0, currency: 'eur' }
const disputeRows: [string, string, JsonObject, [string, boolean, boolean]][] = [
  ['inquiry', 'created', { status: 'warning_needs_response' }, ['inquiry', false, false]],
  ['inquiry closed', 'closed', { status: 'warning_closed' }, ['closed', false, false]],
  ['formal, no money taken yet', 'created', { status: 'needs_response' }, ['needs_response', false, false]],
  ['withdrawn by its event', 'funds_withdrawn', { status: 'needs_response' }, ['needs_response', true, false]],
  [
    'withdrawn by its transaction',
    'updated',
    { status: 'under_review', balance_transactions: [negative] },
    ['under_review', true, false],
  ],
  ['lost', 'closed', { status: 'lost', balance_transactions: [negative] }, ['lost', true, false]],
  ['lost after a full refund', 'closed', { status: 'lost' }, ['lost', false, false]],
  ['won', 'closed', { status: 'won', balance_transactions: [negative] }, ['won', true, true]],
  ['given back by its event', 'funds_reinstated', { status: 'under_review' }, ['under_review', true, true]],
  [
    'given back by its transaction',
    'updated',
    { status: 'under_review', balance_transactions: [negative, positive] },
    ['under_review', true, true],
  ],
  [
    'before the list',
    'created',
    { status: 'needs_response', balance_transactions: null },
    ['needs_response', true, false],
  ],
  [
    'before the list, charge still refundable',
    'created',
    { status: 'needs_response', balance_transactions: null, is_charge_refundable: true },
    ['needs_response', false, false],
  ],
  ['resolved by a refund', 'closed', { status: 'charge_refunded' }, ['closed', false, false]],
  ['prevented', 'closed', { status: 'prevented' }, ['closed', false, false]],
  ['of a state nobody knows yet', 'funds_withdrawn', { status: 'in_arbitration' }, ['needs_response', true, false]],
]
for (const [name, type, about, expected] of disputeRows) {
  test(`a dispute: ${name}`, () => {
    const [report] = map(`charge.dispute.${type}`, { ...dispute, ...about }).reports
    assert.ok(report?.kind === 'dispute')
    assert.deepEqual([report.status, report.withdrawn, report.reinstated], expected)
  })
}

test('the fees of a dispute are reported, one given back is dropped and counted', () => {
  const balance_transactions = [negative, { ...positive, fee: -1500 }]
  const mapped = map('charge.dispute.closed', { ...dispute, status: 'won', balance_transactions })
  assert.deepEqual(mapped.reports.at(-1), {
    kind: 'fee',
    id: 'txn_1',
    parents: ['du_1', 'ch_1'],
    amount: 1500,
    currency: 'EUR',
  })
  assert.deepEqual(mapped.dropped, [{ kind: 'fee', reason: 'amount_negative' }])
})

test('a dispute from before disputes had ids is named by its charge', () => {
  const ids = [1, 2].map(() => map('charge.dispute.created', { ...dispute, id: undefined }).reports[0]?.id)
  assert.equal(ids[0], ids[1])
  assert.match(ids[0] ?? '', /^h_/)
})

test('a payout is reported; one that takes money from the bank is dropped and counted', () => {
  assert.deepEqual(map('payout.paid', payout).reports, [
    { kind: 'payout', id: 'po_1', parents: [], amount: 9000, currency: 'EUR', status: 'paid' },
  ])
  const { reports, dropped } = map('payout.paid', { ...payout, amount: -9000 })
  assert.deepEqual([reports, dropped], [[], [{ kind: 'payout', reason: 'amount_negative' }]])
})

test('an event of another family is kept without reports', () => {
  const { reports, root, eventType } = map('customer.created', { id: 'cus_1', object: 'charge', amount: 1 })
  assert.deepEqual([reports, root, eventType], [[], `h_${digest('cus_1')}`, 'customer.created'])
})

test('an event without an object leads to itself', () => {
  assert.equal(map('charge.succeeded', null).root, 'evt_1')
})

test('our payment id is taken from metadata, its own or its expanded parent', () => {
  const metadata = { millrace_payment: `pay_${'0'.repeat(26)}` }
  assert.equal(map('charge.succeeded', { ...charge, metadata }).payment, metadata.millrace_payment)
  assert.equal(map('refund.created', { ...refund, charge: { ...charge, metadata } }).payment, metadata.millrace_payment)
  assert.equal(map('charge.succeeded', { ...charge, metadata: { millrace_payment: 'pay_1' } }).payment, undefined)
})

test('what has no id and type is not an event', () => {
  for (const value of [null, 1, 'evt_1', [], {}, { id: 'evt_1' }, { id: 1, type: 'charge.failed' }]) {
    assert.equal(mapStripeEvent(value, digest), 'not_an_event')
  }
})

test('an object from an answer is mapped by what it says it is', () => {
  const { reports, root } = mapStripeObject({ ...intent, latest_charge: charge }, digest)
  assert.deepEqual([reports.length, root], [2, 'pi_1'])
})

test('only ids, codes, amounts and states pass', () => {
  const canary = 'Ada Lovelace <ada@example.com> 4242424242424242'
  const poisoned = (object: JsonObject): JsonObject => ({
    ...Object.fromEntries(
      ['description', 'failure_code', 'failure_reason', 'reason', 'receipt_email'].map((k) => [k, canary]),
    ),
    metadata: { millrace_payment: canary, [canary]: canary },
    ...object,
  })
  const { id: _, ...nameless } = dispute
  for (const [type, object] of [
    ['payment_intent.succeeded', { ...intent, id: canary, latest_charge: poisoned(charge) }],
    ['charge.refunded', { ...charge, id: 'ch_4242424242424242', payment_intent: canary }],
    ['refund.failed', { ...refund, charge: canary, status: 'failed' }],
    ['charge.dispute.created', { ...nameless, charge: canary, status: 'lost' }],
    ['payout.failed', { ...payout, id: 'po_4242_4242_4242_4242', status: 'failed' }],
    [canary, payout],
  ] as const) {
    const mapped = map(type, poisoned(object), { id: canary })
    assert.doesNotMatch(JSON.stringify(mapped), /Ada|ada@|4242/)
  }
})

test('a card number is no code', () => {
  const [report] = map('charge.failed', { ...charge, status: 'failed', failure_code: '4242424242424242' }).reports
  assert.equal(report?.kind === 'charge' && report.failure, undefined)
})

const names = [
  ...['id', 'object', 'amount', 'amount_captured', 'amount_refunded', 'captured', 'currency', 'status', 'charge'],
  ...['charges', 'latest_charge', 'payment_intent', 'refunds', 'data', 'dispute', 'balance_transaction'],
  ...['balance_transactions', 'fee', 'metadata', 'millrace_payment', 'failure_code', 'reason', '__proto__', 'toString'],
]
const words = ['charge', 'payment_intent', 'refund', 'dispute', 'payout', 'list', 'eur', 'isk', 'succeeded', 'won']
const leaf = fc.oneof(fc.anything(), fc.constantFrom(...words), fc.maxSafeInteger(), fc.boolean(), fc.constant('ch_1'))
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.dictionary(fc.constantFrom(...names), tie('tree'), { maxKeys: 12 }),
    fc.array(tie('tree'), { maxLength: 3 }),
  ),
}))
const types = fc.constantFrom(
  ...['payment_intent.succeeded', 'charge.captured', 'charge.expired', 'charge.refund.updated', 'refund.failed'],
  ...['charge.dispute.funds_withdrawn', 'payout.paid', 'invoice.paid'],
)

test('no JSON makes the mapping throw, and every report is as events.ts declares it', () => {
  const schema = Compile(ObjectReport)
  fc.assert(
    fc.property(types, tree, fc.constantFrom(intent, charge, refund, dispute, payout), (type, soup, whole) => {
      mapStripeEvent(soup, digest)
      const odd = typeof soup === 'object' && soup !== null ? { ...whole, ...soup } : soup
      for (const report of [...map(type, soup).reports, ...map(type, odd).reports]) {
        assert.ok(schema.Check(report), JSON.stringify(report))
      }
    }),
    { numRuns: 1000 },
  )
})
