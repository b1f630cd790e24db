import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp, traceparent } from '#harness/app'
import { openGateway } from '#harness/gateway'
import { chargeSucceeded, refundObject, stripeEvent } from '#harness/stripe-events'

// From an entry in the books back to the request it comes from: by the ids of causes, event by event, and by one trace.

type Link = { id: string; type: string; causation_id: string | null; correlation_id: string; traceparent: string }

test('an entry leads back to the request it began with, over the call to the gateway', async (t) => {
  const gateway = await openGateway(t)
  const app = await openApp(t, { accounts: [gateway.account] })
  await app.start()
  await app.pay({ key: 'order-1' })
  await app.settle()
  const chain = await wayBack(app, 'capture')
  assert.deepEqual(
    chain.map(({ type }) => type),
    ['payment.captured', 'gateway.call_answered', 'payment.requested'],
  )
  assertOneTrace(chain)
  // The call left the house under the same trace.
  const deliveries = await app.rows<{ traceparent: string }>('select traceparent from delivery.delivery')
  assert.deepEqual(
    deliveries.map((delivery) => traceOf(delivery.traceparent)),
    [traceOf(traceparent)],
  )
})

test('an entry leads back to the webhook that told of it, though it waited for its payment', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(stripeEvent('refund.created', refundObject('early', 'a', 400)))
  await app.settle()
  await app.webhook(chargeSucceeded('early'))
  await app.settle()
  for (const purpose of ['capture', 'refund']) {
    const chain = await wayBack(app, purpose)
    const types = chain.map(({ type }) => type.replace(/payment\.(captured|refunded)/, 'payment'))
    assert.deepEqual(types, ['payment', 'gateway.object_reported', 'gateway.event_received'])
    assertOneTrace(chain)
  }
})

test('the fact of an entry stands on the log with the entry’s own trace and cause', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('one'))
  await app.settle()
  const [entry] = await app.rows<{ id: string; event_id: string; traceparent: string }>(
    'select id, event_id, traceparent from ledger.entry',
  )
  const [posted] = await app.rows<Link & { entry: string }>(
    `select causation_id, traceparent, data ->> 'entry' as entry from log.event where type = 'ledger.entry_posted'`,
  )
  assert.equal(posted?.entry, entry?.id)
  assert.equal(posted?.causation_id, entry?.event_id)
  assert.equal(traceOf(posted?.traceparent ?? ''), traceOf(entry?.traceparent ?? ''))
})

/** From the event that an entry books to the one that has no cause. */
async function wayBack(app: AppUnderTest, purpose: string): Promise<Link[]> {
  const chain: Link[] = []
  const [entry] = await app.rows<{ event_id: string; traceparent: string }>(
    'select event_id, traceparent from ledger.entry where purpose = $1',
    [purpose],
  )
  let next: string | null | undefined = entry?.event_id
  while (next != null) {
    const [link]: Link[] = await app.rows<Link>(
      'select id, type, causation_id, correlation_id, traceparent from log.event where id = $1',
      [next],
    )
    assert.ok(link, `the cause ${next} is on the log`)
    chain.push(link)
    next = link.causation_id
  }
  assert.equal(traceOf(entry?.traceparent ?? ''), traceOf(chain[0]?.traceparent ?? ''))
  return chain
}

function assertOneTrace(chain: readonly Link[]): void {
  assert.deepEqual(new Set(chain.map((link) => traceOf(link.traceparent))), new Set([traceOf(traceparent)]))
  // A span each, and one correlation: the id of the event that began it.
  assert.equal(new Set(chain.map((link) => link.traceparent)).size, chain.length)
  assert.deepEqual(new Set(chain.map((link) => link.correlation_id)), new Set([chain.at(-1)?.id]))
}

function traceOf(parent: string): string | undefined {
  return parent.split('-')[1]
}
