import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, closeDatabases, createAppDatabase, openApp, openDatabases, traceparent } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { interfere } from '#harness/wrapped-database'
import { systemClock } from '#kernel/clock'
import { FetchFailure, type HttpFetch, systemFetch } from '#kernel/fetch'
import { brandId, type TenantId } from '#kernel/ids'
import { findPayments } from '#payments'

// The accident: a payment was taken, its answer was lost, the client asked again and was charged again. Here the door's
// connection is cut right behind its commit, so that nobody is answered. Ids that are chance, or a key that is stored
// after the payment instead of being its name, charge twice.

test('a request whose answer was lost is repeated, and charged once', async (t) => {
  const { url } = await createAppDatabase(t)
  const own = openDatabases(url)
  t.after(() => closeDatabases(own))
  const line = { isCut: false }
  const door = interfere(own.door, { afterCommit: () => answer(line) })
  const gateway = await openGateway(t)
  const app = await openApp(t, { url, databases: { door }, accounts: [gateway.account] })
  gateway.reportTo(app)
  await app.start()

  line.isCut = true
  await assert.rejects(app.pay({ key: 'order-1' }), /cut/)
  await assert.rejects(app.pay({ key: 'order-1' }), /cut/)
  line.isCut = false
  // By now it may be known to have been accepted; either way it is the same payment.
  const retried = await app.pay({ key: 'order-1' })
  await app.settle()
  const again = await app.pay({ key: 'order-1' })
  await app.settle()
  assert.equal(again.status, 'repeated')
  assert.equal(again.id, retried.id)
  assert.equal(gateway.intentsOf(retried.id).length, 1)
  const entries = await app.rows(`select distinct payment, entry from ledger.posting where source like '%/capture/%'`)
  assert.deepEqual(
    entries.map(({ payment }) => payment),
    [retried.id],
  )
})

test('a webhook whose answer was lost is sent again, and posted once', async (t) => {
  const { url } = await createAppDatabase(t)
  const own = openDatabases(url)
  t.after(() => closeDatabases(own))
  const line = { isCut: true }
  const app = await openApp(t, { url, databases: { door: interfere(own.door, { afterCommit: () => answer(line) }) } })
  await app.start()
  const event = chargeSucceeded('lost')
  await assert.rejects(app.webhook(event), /cut/)
  await assert.rejects(app.webhook(event), /cut/)
  line.isCut = false
  await app.webhook(event)
  await app.settle()
  assert.deepEqual(await app.rows('select count(*)::int as n from ledger.entry'), [{ n: 1 }])
  assert.deepEqual(await app.rows(`select count(*)::int as n from log.event where topic = 'gateway.inbox'`), [{ n: 3 }])
})

// The third accident: a refund was made, its answer was lost, and it was made again. A gateway's report of a refund does
// not say which request made it; ours carries the operation's id in its metadata. With refunds matched by amount, or a
// silence taken for a no, the customer has the money twice.
for (const [claim, isMade] of [
  ['a refund whose answer was lost is found by asking, and made once', true],
  ['a refund that never arrived is given up once that is sure, and can be asked for anew', false],
] as const) {
  test(claim, async (t) => {
    const { url } = await createAppDatabase(t)
    let offsetMs = 0
    const puppet = createPuppet({ url, name: 'work', offsetMs: () => offsetMs })
    t.after(() => puppet.close())
    const gateway = await openGateway(t)
    const net = systemFetch(systemClock)
    t.after(() => net.close())
    let losses = 1
    const lossy: HttpFetch = async (request) => {
      const isLost = request.url.endsWith('/v1/refunds') && losses-- > 0
      if (isLost && isMade) await net.fetch(request)
      if (isLost) throw new FetchFailure('after_send', 'timeout')
      return net.fetch(request)
    }
    const { database: work, clock } = puppet
    const app = await openApp(t, { url, databases: { work }, clock, fetch: lossy, accounts: [gateway.account] })
    await app.start()
    const { id } = await app.pay({ key: 'order-1' })
    await app.settle()

    const { id: first } = await refund(app, id, 'refund-1')
    const standing = async (operation: string): Promise<string> => {
      const [found] = await findPayments(app.databases.read, [{ tenant: 'main', mode: 'test', id }])
      return found?.operations.find((one) => one.id === operation)?.status ?? 'none'
    }
    await until('nobody knows', async () => (await standing(first)) === 'unknown')
    // As long as it may have been made, nothing more is given back than is left without it.
    await assert.rejects(refund(app, id, 'refund-2'), /at most 400/)
    await until('the gateway has told', async () => {
      offsetMs += 2_000
      return (await standing(first)) === (isMade ? 'succeeded' : 'refused')
    })
    await app.settle()
    if (!isMade) await refund(app, id, 'refund-2')
    await app.settle()

    const [intent] = gateway.intentsOf(id)
    assert.equal(intent?.latest_charge?.amount_refunded, 600)
    const refunded = await app.rows(`select count(*)::int as n from ledger.entry where purpose = 'refund'`)
    assert.deepEqual(refunded, [{ n: 1 }])
    assert.deepEqual(await app.rows('select id from log.timer where fired_at is null'), [])
  })
}

function refund({ app }: AppUnderTest, payment: string, idempotencyKey: string) {
  const whose = { tenant: brandId<TenantId>('main'), mode: 'test' } as const
  return app.acceptOperation({ ...whose, payment, call: 'refund', idempotencyKey, body: { amount: 600 }, traceparent })
}

async function answer({ isCut }: { isCut: boolean }): Promise<void> {
  if (isCut) throw new Error('the connection was cut behind the commit')
}
