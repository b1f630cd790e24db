/** Generators for property tests: whole lives of a payment as a gateway tells them, and reports at random. */

import fc from 'fast-check'
import type { ObjectReport, ReportOf } from '#gateways/events'
import { ranks } from './ranks.ts'

/** What truly happened, for a test to compare with: amounts by movement key. */
export type Life = { events: ObjectReport[][]; truth: Record<string, number> }

export const ACCOUNT = 'stripe_main'

type Plot = {
  hasIntent: boolean
  failedAttempts: number
  amount: number
  currency: string
  /** Of ten tenths; zero: the hold is released instead. */
  capturedTenths: number
  /** Whether the gateway counts the uncaptured rest of a hold as refunded. */
  countsReleased: boolean
  fee: number
  refunds: { tenths: number; outcome: ReportOf<'refund'>['status'] }[]
  dispute: 'none' | 'inquiry' | 'open' | 'won' | 'lost'
}

const plot: fc.Arbitrary<Plot> = fc.record({
  hasIntent: fc.boolean(),
  failedAttempts: fc.nat({ max: 2 }),
  amount: fc.integer({ min: 1, max: 1_000_000 }).map((tenth) => tenth * 10),
  currency: fc.constantFrom('EUR', 'USD', 'JPY'),
  capturedTenths: fc.oneof(fc.constant(10), fc.nat({ max: 10 })),
  countsReleased: fc.boolean(),
  fee: fc.nat({ max: 500 }),
  refunds: fc.array(
    fc.record({
      tenths: fc.integer({ min: 1, max: 5 }),
      outcome: fc.constantFrom('pending', 'succeeded', 'failed', 'canceled'),
    }),
    { maxLength: 4 },
  ),
  dispute: fc.constantFrom('none', 'inquiry', 'open', 'won', 'lost'),
})

export const lineage: fc.Arbitrary<Life> = plot.map(tell)

/** Every event at least once, in any order, some of them again. */
export function shuffled<Item>(items: readonly Item[]): fc.Arbitrary<Item[]> {
  return fc
    .tuple(fc.shuffledSubarray([...items]), fc.shuffledSubarray([...items], { minLength: items.length }))
    .chain(([again, all]) => fc.shuffledSubarray([...again, ...all], { minLength: again.length + all.length }))
}

export const anyReport: fc.Arbitrary<ObjectReport> = fc.oneof(
  fc.record({ kind: fc.constant('intent'), ...about(), status: fc.constantFrom(...ranks.intent) }),
  fc.record({
    kind: fc.constant('charge'),
    ...about(),
    status: fc.constantFrom(...ranks.charge),
    captured: someAmount(),
    refunded: someAmount(),
  }),
  fc.record({ kind: fc.constant('refund'), ...about(), status: fc.constantFrom(...ranks.refund) }),
  fc.record({
    kind: fc.constant('refund'),
    ...about(),
    status: fc.constantFrom(...ranks.refund),
    operation: fc.constantFrom('op_1', 'op_2'),
  }),
  fc.record({
    kind: fc.constant('dispute'),
    ...about(),
    status: fc.constantFrom(...ranks.dispute),
    withdrawn: fc.boolean(),
    reinstated: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('fee'), ...about() }),
  fc.record({ kind: fc.constant('payout'), ...about(), status: fc.constantFrom(...ranks.payout) }),
)

/** Few ids, so that reports meet; the same id in several kinds; currencies that disagree. */
function about() {
  return {
    id: fc.constantFrom('a', 'b', 'c'),
    parents: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
    amount: someAmount(),
    currency: fc.constantFrom('EUR', 'EUR', 'EUR', 'USD'),
  }
}

function someAmount(): fc.Arbitrary<number> {
  return fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 2 ** 40 }))
}

function tell(story: Plot): Life {
  const charged = (story.amount / 10) * story.capturedTenths
  const root = story.hasIntent ? 'pi_1' : 'ch_1'
  const opening = [...failures(story), ...opened(story)]
  if (charged === 0) return { events: [...opening, ...released(story)], truth: {} }

  const refunds = fitting(story.refunds, story.amount, charged)
  const truth = [
    [`capture/${ACCOUNT}/${root}/${story.currency}`, charged] as const,
    [`fee/${ACCOUNT}/txn_1/USD`, story.fee] as const,
    ...refunds.map(({ id, amount, outcome }) => {
      const isGivenBack = outcome === 'failed' || outcome === 'canceled'
      return [`refund/${ACCOUNT}/${id}/${story.currency}`, isGivenBack ? 0 : amount] as const
    }),
    ...disputeTruth(story, charged),
  ]
  return {
    events: [
      ...opening,
      ...captured(story, charged),
      ...refunded(story, charged, refunds),
      ...disputed(story, charged),
    ],
    truth: Object.fromEntries(truth.filter(([, amount]) => amount > 0)),
  }
}

function intent(story: Plot, status: ReportOf<'intent'>['status']): ObjectReport[] {
  const { amount, currency } = story
  return story.hasIntent ? [{ kind: 'intent', id: 'pi_1', parents: [], amount, currency, status }] : []
}

function charge(story: Plot, about: Partial<ReportOf<'charge'>> & Pick<ReportOf<'charge'>, 'status'>): ObjectReport {
  const { amount, currency, hasIntent } = story
  const parents = hasIntent ? ['pi_1'] : []
  return { kind: 'charge', id: 'ch_1', parents, amount, currency, captured: 0, refunded: 0, ...about }
}

function failures(story: Plot): ObjectReport[][] {
  return Array.from({ length: story.failedAttempts }, (_, nth) => [
    ...intent(story, 'requires_payment_method'),
    charge(story, { id: `ch_failed${nth}`, status: 'failed', failure: 'card_declined', captured: nth * story.amount }),
  ])
}

function opened(story: Plot): ObjectReport[][] {
  return [intent(story, 'processing'), [charge(story, { status: 'authorized' })], intent(story, 'requires_capture')]
}

function released(story: Plot): ObjectReport[][] {
  const { amount, currency } = story
  const refund: ObjectReport = {
    kind: 'refund',
    id: 're_hold',
    parents: ['ch_1'],
    amount,
    currency,
    status: 'succeeded',
  }
  return [intent(story, 'canceled'), [charge(story, { status: 'voided', refunded: amount })], [refund]]
}

function captured(story: Plot, charged: number): ObjectReport[][] {
  const fee: ObjectReport = { kind: 'fee', id: 'txn_1', parents: ['ch_1'], amount: story.fee, currency: 'USD' }
  return [
    [charge(story, { status: 'captured', captured: charged, refunded: releasedPart(story, charged) }), fee],
    intent(story, 'succeeded'),
  ]
}

function refunded(story: Plot, charged: number, refunds: ReturnType<typeof fitting>): ObjectReport[][] {
  let total = releasedPart(story, charged)
  return refunds.flatMap(({ id, amount, outcome }) => {
    const as = (status: ReportOf<'refund'>['status']): ObjectReport => ({
      kind: 'refund',
      id,
      parents: ['ch_1'],
      amount,
      currency: story.currency,
      status,
    })
    const highest = total + amount
    if (outcome === 'succeeded' || outcome === 'pending') total = highest
    return [
      [as('pending')],
      [charge(story, { status: 'captured', captured: charged, refunded: highest })],
      ...(outcome === 'failed' ? [[as('succeeded')]] : []),
      [as(outcome)],
      [charge(story, { status: 'captured', captured: charged, refunded: total })],
    ]
  })
}

function releasedPart(story: Plot, charged: number): number {
  return story.countsReleased ? story.amount - charged : 0
}

/** As many of the planned refunds as there is money for. */
function fitting(planned: Plot['refunds'], amount: number, charged: number) {
  let left = charged
  return planned.flatMap(({ tenths, outcome }, nth) => {
    const refund = { id: `re_${nth}`, amount: (amount / 10) * tenths, outcome }
    if (refund.amount > left) return []
    if (outcome === 'succeeded' || outcome === 'pending') left -= refund.amount
    return [refund]
  })
}

function disputed(story: Plot, charged: number): ObjectReport[][] {
  const as = (status: ReportOf<'dispute'>['status'], withdrawn: boolean, reinstated: boolean): ObjectReport[] => {
    const { currency } = story
    return [
      { kind: 'dispute', id: 'dp_1', parents: ['ch_1'], amount: charged, currency, status, withdrawn, reinstated },
    ]
  }
  const opening = [
    as('needs_response', false, false),
    as('needs_response', true, false),
    as('under_review', true, false),
  ]
  switch (story.dispute) {
    case 'none':
      return []
    case 'inquiry':
      return [as('inquiry', false, false), as('closed', false, false)]
    case 'open':
      return opening
    case 'lost':
      return [...opening, as('lost', true, false)]
    case 'won':
      return [...opening, as('won', true, false), as('won', false, true)]
  }
}

function disputeTruth(story: Plot, charged: number) {
  const at = `${ACCOUNT}/dp_1/${story.currency}`
  const withdrawn = [`dispute/${at}`, charged] as const
  switch (story.dispute) {
    case 'open':
      return [withdrawn]
    case 'won':
      return [withdrawn, [`dispute_reinstated/${at}`, charged] as const]
    case 'lost':
      return [withdrawn, [`dispute_lost/${at}`, charged] as const]
    default:
      return []
  }
}
