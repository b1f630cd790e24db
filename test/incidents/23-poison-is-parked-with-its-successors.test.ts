import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { chargeObject, chargeSucceeded, refundObject, stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'
import { verifyLedger } from '#ledger'

// The accident: one message that could not be handled stopped its partition; or it was dropped, and what came after it
// was applied without it. Here the database refuses one payment's capture for a while. A consumer that retries for ever
// posts none of the others, one that skips books the refund without the capture.

const others = 60

test('a poison event waits with its key’s successors, all else flows, and a retry keeps the order', async (t) => {
  const app = await openApp(t)
  await app.rows(`alter table ledger.entry add constraint poison check (source not like '%pi_poison%') not valid`)
  await app.start()

  await app.webhook(chargeSucceeded('poison'))
  await until('the capture is parked', async () => (await parked(app)).length === 1)
  for (const part of ['a', 'b', 'c'])
    await app.webhook(stripeEvent('refund.created', refundObject('poison', part, 100)))
  await Promise.all(Array.from({ length: others }, (_, number) => app.webhook(chargeSucceeded(`well${number}`))))
  await app.settle()

  assert.equal(await entries(app), others)
  const waiting = await parked(app)
  assert.deepEqual(
    waiting.map(({ type }) => type),
    ['payment.captured', ...Array<string>(3).fill('payment.refunded')],
  )
  assert.deepEqual(new Set(waiting.map(({ grp }) => grp)), new Set(['ledger.post-payments']))
  assert.match(waiting[0]?.error ?? '', /23514/)

  // Asked for in vain: it goes back to where it was, and its successors stay behind it.
  await retry(app)
  await until('the retry has failed', async () => (await parked(app))[0]?.attempts === 2)
  assert.equal((await parked(app)).length, 4)

  await app.rows('alter table ledger.entry drop constraint poison')
  // A fourth refund comes while the key is parked, just before the retry.
  await app.webhook(stripeEvent('charge.refunded', chargeObject('poison', { amount_refunded: 300 })))
  await app.webhook(stripeEvent('refund.created', refundObject('poison', 'd', 100)))
  await retry(app)
  await until('nothing is parked', async () => (await parked(app)).length === 0)
  await app.settle()

  const booked = await app.rows<{ source: string }>(
    `select split_part(data ->> 'source', '/', 3) as source from log.event
     where topic = 'ledger' and data ->> 'source' like '%_poison%' order by position, "offset"`,
  )
  assert.deepEqual(
    booked.map(({ source }) => source.replace(/\/.*/, '')),
    ['pi_poison', 're_poison_a', 're_poison_b', 're_poison_c', 're_poison_d'],
  )
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  assert.deepEqual(
    app.reports.filter(({ kind }) => kind !== 'parked'),
    [],
  )
})

type Parked = { grp: string; type: string; error: string | null; attempts: number }

function parked(app: AppUnderTest): Promise<Parked[]> {
  return app.rows<Parked>(
    `select grp, event ->> 'type' as type, error, attempts from log.parked order by grp, key, sequence`,
  )
}

async function retry(app: AppUnderTest): Promise<void> {
  await app.rows('update log.parked_key set retry_requested_at = log.now()')
}

async function entries(app: AppUnderTest): Promise<number | undefined> {
  return (await app.rows<{ n: number }>('select count(*)::int as n from ledger.entry'))[0]?.n
}
