import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { chargeObject, chargeSucceeded, refundObject, stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemRandom } from '#kernel/random'
import { verifyLedger } from '#ledger'
import { createRedrive } from '#log'

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

// The books refuse the capture for a field of it, which nobody can correct at its source any more, and two of three refunds
// were made up by mistake. What is repaired keeps its place before the refund that is left.
test('a repaired event is booked in its place, a discarded one never, and the log says who did it', async (t) => {
  const app = await openApp(t)
  await app.rows(`alter table ledger.entry add constraint poison check (effective_at > '2027-01-01') not valid`)
  await app.start()
  await app.webhook(chargeSucceeded('poison'))
  await until('the capture is parked', async () => (await parked(app)).length === 1)
  for (const part of ['a', 'b', 'c'])
    await app.webhook(stripeEvent('refund.created', refundObject('poison', part, 100)))
  await app.settle()
  const [capture, , wrong, other] = await events(app)
  assert.ok(capture && wrong && other)

  const redrive = createRedrive(app.databases.work, systemRandom, app.app.modules)
  const target = { group: 'ledger.post-payments', key: capture.key }
  const act = { by: 'os:ada', reason: 'the gateway had its clock wrong', isDryRun: false }
  const repair = { set: [{ path: '/data/effectiveAt', value: Date.parse('2027-02-01') }] }
  assert.equal((await redrive.edit({ ...target, event: capture.id }, repair, act)).status, 'done')
  for (const event of [wrong.id, other.id])
    assert.equal((await redrive.discard({ ...target, event }, act)).status, 'done')
  // The constraint is for the capture alone: its refund is as old as it says.
  await app.rows('alter table ledger.entry drop constraint poison')
  await redrive.retry(target, act)
  await until('nothing is parked', async () => (await parked(app)).length === 0)
  await app.settle()

  const booked = await app.rows<{ source: string; at: Date }>(
    'select source, effective_at as at from ledger.entry order by booked_at, source',
  )
  assert.deepEqual(
    booked.map(({ source }) => /(?:pi|re)_[a-z_]+/.exec(source)?.[0]),
    ['pi_poison', 're_poison_a'],
  )
  assert.equal(booked[0]?.at.toISOString(), '2027-02-01T00:00:00.000Z')
  const acts = await app.rows<{ type: string; by: string; reason: string }>(
    `select type, data ->> 'by' as by, data ->> 'reason' as reason from log.event where topic = 'log' order by position`,
  )
  assert.deepEqual(
    acts.map(({ type }) => type),
    ['log.parked_event_edited', ...Array<string>(2).fill('log.parked_event_discarded'), 'log.retry_requested'],
  )
  assert.ok(acts.every(({ by, reason }) => by === act.by && reason === act.reason))
  const [kept] = await app.rows<{ at: string }>(`select data ->> 'effectiveAt' as at from log.event where id = $1`, [
    capture.id,
  ])
  assert.ok(Number(kept?.at) < Date.parse('2027-01-01'), 'on the log it is as it was')
})

async function events(app: AppUnderTest): Promise<{ id: string; key: string }[]> {
  return app.rows(`select event ->> 'id' as id, key from log.parked order by grp, key, sequence`)
}

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
