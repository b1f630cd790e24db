import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import {
  canceledHold,
  capturedInPart,
  debit,
  declined,
  disputeInquiry,
  disputeLost,
  disputeWon,
  expiredHold,
  failedRefund,
  legacyCharge,
  legacyIntent,
  oneCharge,
  paidByCard,
  payoutEvents,
  refundedInParts,
  refundedWhole,
  threeDSecure,
  unheardOf,
} from '#harness/stripe-documented'
import type { StripeEvent, StripeObject } from '#harness/stripe-events'
import { verifyLedger } from '#ledger'

// Events written from Stripe's documentation (docs.stripe.com/api, /disputes, /refunds, /currencies) by somebody who had
// not read how they are mapped, of API versions from 2014 to 2025. Each lineage ends as the documentation says.

type Expected = { status: string | undefined; payable: bigint; currency?: string; open?: bigint }

const lineages: [claim: string, events: readonly StripeEvent[], expected: Expected][] = [
  ['a card payment is captured', paidByCard('card'), { status: 'captured', payable: 2000n }],
  ['a declined card is a failed payment', declined('declined'), { status: 'failed', payable: 0n }],
  ['a hold captured in part is captured, for that part', capturedInPart('part'), { status: 'captured', payable: 600n }],
  ['a canceled hold moves nothing', canceledHold('hold'), { status: 'canceled', payable: 0n }],
  ['an expired hold moves nothing', expiredHold('stale'), { status: 'canceled', payable: 0n }],
  ['a payment refunded whole', refundedWhole('whole'), { status: 'refunded', payable: 0n }],
  ['several partial refunds', refundedInParts('parts'), { status: 'partially_refunded', payable: 1100n }],
  ['a refund that fails gives the money back', failedRefund('bounced'), { status: 'captured', payable: 2000n }],
  ['a dispute that is won', disputeWon('won'), { status: 'captured', payable: 2000n, open: 0n }],
  ['a dispute that is lost', disputeLost('lost'), { status: 'disputed', payable: 0n, open: 0n }],
  ['an inquiry takes no money', disputeInquiry('inquiry'), { status: 'captured', payable: 2000n, open: 0n }],
  ['a bank debit is pending until it has succeeded', debit('debit').slice(0, 2), { status: 'pending', payable: 0n }],
  ['a bank debit that has succeeded', debit('debited'), { status: 'captured', payable: 2000n }],
  ['a payment waiting for 3-D Secure is pending', threeDSecure('secure'), { status: 'pending', payable: 0n }],
  ['a charge of 2014, without intent', legacyCharge('old'), { status: 'partially_refunded', payable: 1500n }],
  ['an intent of 2019, with its charges inside', legacyIntent('inside'), { status: 'captured', payable: 2000n }],
  ['yen have no minor unit', oneCharge('yen', 500, 'jpy'), { status: 'captured', payable: 500n, currency: 'JPY' }],
  [
    'krónur are sent with two decimals and have none',
    oneCharge('isk', 50_000, 'isk'),
    { status: 'captured', payable: 500n, currency: 'ISK' },
  ],
  [
    'shillings are sent with two decimals and have none',
    oneCharge('ugx', 50_000, 'ugx'),
    { status: 'captured', payable: 500n, currency: 'UGX' },
  ],
  [
    'dinars have three decimals',
    oneCharge('kwd', 5_010, 'kwd'),
    { status: 'captured', payable: 5_010n, currency: 'KWD' },
  ],
]

for (const order of ['in order', 'in reverse'] as const) {
  test(`every documented lineage ends as documented, ${order}`, async (t) => {
    const app = await openApp(t)
    await app.start()
    const arriving = lineages.flatMap(([, events]) => (order === 'in order' ? events : events.toReversed()))
    for (const event of arriving) await app.webhook(event)
    await app.settle()
    for (const [claim, events, expected] of lineages) {
      await t.test(claim, async () => assert.deepEqual(await endOf(app, events, expected), expected))
    }
    assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
    assert.deepEqual(app.reports, [])
  })
}

test('a payout counts when it is paid, and comes back when it fails', async (t) => {
  const app = await openApp(t)
  await app.start()
  const [pending, paid, failed] = payoutEvents('out')
  const bank = async (): Promise<bigint> =>
    (
      await app.rows<{ n: bigint }>(
        `select coalesce(sum(amount), 0) as n from ledger.posting where account = 'bank:acme'`,
      )
    )[0]?.n ?? 0n
  for (const [event, expected] of [
    [pending, 0n],
    [paid, 1100n],
    [failed, 0n],
  ] as const) {
    assert.ok(event)
    await app.webhook(event)
    await app.settle()
    assert.equal(await bank(), expected, event.type)
  }
})

test('types, fields, ids and values nobody has heard of are accepted and move nothing', async (t) => {
  const app = await openApp(t)
  await app.start()
  for (const event of unheardOf()) {
    await t.test(event.type, async () => {
      await app.webhook(event)
    })
  }
  await app.settle()
  assert.deepEqual(await app.rows('select source from ledger.entry'), [])
  assert.deepEqual(app.reports, [])
  assert.deepEqual(await app.rows(`select count(*)::int as n from log.event where topic = 'gateway.inbox'`), [
    { n: unheardOf().length },
  ])
})

/** What became of the lineage's payment, in the terms of what was expected. */
async function endOf(app: AppUnderTest, events: readonly StripeEvent[], expected: Expected): Promise<Expected> {
  const ids = [...new Set(events.flatMap(({ data }) => namesIn(data.object)))]
  const [payment] = await app.rows<{ id: string; status: string }>(
    `select distinct p.id, p.status from gateways.object o join payments.payment p on p.id = o.payment where o.object_id = any ($1)`,
    [ids],
  )
  const sum = async (account: string): Promise<bigint> => {
    const [row] = await app.rows<{ n: bigint }>(
      `select coalesce(sum(amount), 0) as n from ledger.posting
       where payment = $1 and account = $2 and currency = coalesce($3, currency)`,
      [payment?.id ?? '', account, expected.currency ?? null],
    )
    return row?.n ?? 0n
  }
  return {
    ...expected,
    status: payment?.status,
    payable: -(await sum('merchant:mer_acme:payable')),
    ...(expected.open === undefined ? {} : { open: await sum('gateway:acme:disputed') }),
  }
}

function namesIn(object: StripeObject): string[] {
  return [object.id, object.payment_intent, object.charge].filter((id) => typeof id === 'string')
}
