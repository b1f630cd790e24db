import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openApp } from '#harness/app'
import {
  chargeObject,
  disputeObject,
  intentObject,
  refundObject,
  type StripeEvent,
  stripeEvent,
} from '#harness/stripe-events'

// The accident: two events of one payment bore the same second, the one that arrived last was taken for the older one
// and dropped. Here a payment's events, all of one second, arrive in every kind of order and some of them twice; with
// "the last one wins" in join.ts the orders end in different states. Orders are lists of ranks that fast-check
// makes, each on a payment of its own, all at once through the running platform.

const orders = 60

test('any order, repetition and tie of a payment’s events gives the same state and the same entries', async (t) => {
  const app = await openApp(t)
  await app.start()
  const sequences = fc.sample(fc.shuffledSubarray([...places, ...places], { minLength: 12 }), orders)
  const complete = sequences.map((sequence) => [...sequence, ...places])

  await Promise.all(
    complete.map(async (sequence, number) => {
      const events = eventsOf(`p${number}`)
      for (const place of sequence) await app.webhook(at(events, place))
    }),
  )
  await app.settle()

  const payments = await app.rows<{ status: string; n: number }>(
    'select status, count(*)::int as n from payments.payment group by status',
  )
  assert.deepEqual(payments, [{ status: 'disputed', n: orders }])
  const balances = await app.rows<{ balances: string; n: number }>(
    `select balances, count(*)::int as n from (
       select payment, string_agg(account || ' ' || amount, ', ' order by account) as balances from (
         select payment, account, sum(amount) as amount from ledger.posting group by payment, account
       ) sums group by payment
     ) payments group by balances`,
  )
  assert.deepEqual(balances, [
    { balances: 'gateway:acme:disputed 300, gateway:acme:receivable 300, merchant:mer_acme:payable -600', n: orders },
  ])
  assert.deepEqual(app.reports, [])
})

const places = [0, 1, 2, 3, 4, 5, 6]

/** 1000 authorized and captured, 150 and 250 refunded, 300 in dispute. */
function eventsOf(name: string): StripeEvent[] {
  const hold = { captured: false, amount_captured: 0 }
  const balance = { id: `txn_${name}`, amount: -300, fee: 0, currency: 'eur', type: 'adjustment' }
  const dispute = disputeObject(name, 300)
  return [
    stripeEvent('charge.succeeded', chargeObject(name, hold)),
    stripeEvent(
      'payment_intent.amount_capturable_updated',
      intentObject(name, { status: 'requires_capture', amount_received: 0, amount_capturable: 1000 }),
    ),
    stripeEvent('charge.captured', chargeObject(name)),
    stripeEvent('refund.created', refundObject(name, 'a', 150)),
    stripeEvent('refund.created', refundObject(name, 'b', 250)),
    stripeEvent('charge.dispute.created', dispute),
    stripeEvent('charge.dispute.funds_withdrawn', { ...dispute, balance_transactions: [balance] }),
  ]
}

function at(events: readonly StripeEvent[], place: number): StripeEvent {
  const event = events[place]
  assert.ok(event)
  return event
}
