import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, createAppDatabase, openApp } from '#harness/app'
import { openGateway } from '#harness/gateway'

// The accident: one idempotency key twice in a batch crashed the batch; or, with another body, was accepted without a
// word. Two doors that do not know of each other take the requests here while nobody consumes, so that they are of one
// batch. Code that looks keys up once per batch, before it, creates two payments or fails on the unique key.

test('one key with one body, twice in a batch, is one payment', async (t) => {
  const { one, other, gateway } = await openTwoDoors(t)
  const answers = await Promise.all([one.pay({ key: 'same' }), other.pay({ key: 'same' }), one.pay({ key: 'same' })])
  assert.deepEqual(answers.map(({ status }) => status).sort(), ['accepted', 'accepted', 'repeated'])
  assert.equal(new Set(answers.map(({ id }) => id)).size, 1)

  await one.start()
  await one.settle()
  assert.deepEqual(await told(one), { ...once, 'payment.duplicate_ignored': 2 })
  assert.equal(gateway.intentsOf(answers[0]?.id ?? '').length, 1)
})

test('one key with two bodies, in one batch, is the payment of the first, and says so', async (t) => {
  const { one, other, gateway } = await openTwoDoors(t)
  const first = await one.pay({ key: 'reused', amount: 1000 })
  // The other door cannot know it yet: it learns of it by an event.
  const second = await other.pay({ key: 'reused', amount: 2000 })
  assert.deepEqual([first.status, second.status], ['accepted', 'accepted'])
  assert.equal(second.id, first.id)
  // The same door knows.
  assert.equal((await one.pay({ key: 'reused', amount: 3000 })).status, 'key_reused')

  await one.start()
  await one.settle()
  assert.deepEqual(await told(one), { ...once, 'payment.conflict_ignored': 1 })
  assert.deepEqual(
    gateway.intentsOf(first.id).map(({ amount }) => amount),
    [1000],
  )
  // Once it is read, every door knows.
  assert.equal((await other.pay({ key: 'reused', amount: 4000 })).status, 'key_reused')
  assert.equal((await other.pay({ key: 'reused', amount: 1000 })).status, 'repeated')
})

test('a batch full of repetitions of many keys settles them all', async (t) => {
  const { one, other } = await openTwoDoors(t)
  const keys = Array.from({ length: 40 }, (_, number) => `key-${number % 10}`)
  await Promise.all(keys.flatMap((key, place) => [one.pay({ key, amount: 100 + (place % 3) }), other.pay({ key })]))
  await one.start()
  await one.settle()
  const { 'payment.created': created, 'payment.captured': captured } = await told(one)
  assert.deepEqual([created, captured], [10, 10])
  assert.deepEqual(one.reports, [])
})

/** What is told of one payment that was executed: its authorization began and ended. */
const once = { 'payment.created': 1, 'payment.operation_changed': 2, 'payment.captured': 1 }

async function openTwoDoors(t: { after(work: () => Promise<void>): void }) {
  const { url } = await createAppDatabase(t)
  const gateway = await openGateway(t)
  const one = await openApp(t, { url, accounts: [gateway.account] })
  const other = await openApp(t, { url, accounts: [gateway.account] })
  gateway.reportTo(one)
  return { one, other, gateway }
}

async function told(app: AppUnderTest): Promise<Record<string, number>> {
  const rows = await app.rows<{ type: string; n: number }>(
    `select type, count(*)::int as n from log.event
     where topic = 'payments' and type <> 'payment.fee_charged' group by type`,
  )
  return Object.fromEntries(rows.map(({ type, n }) => [type, n]))
}
