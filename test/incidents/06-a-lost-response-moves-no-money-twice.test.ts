import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeDatabases, createAppDatabase, openApp, openDatabases } from '#harness/app'
import { openGateway } from '#harness/gateway'
import { chargeSucceeded } from '#harness/stripe-events'
import { interfere } from '#harness/wrapped-database'

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

async function answer({ isCut }: { isCut: boolean }): Promise<void> {
  if (isCut) throw new Error('the connection was cut behind the commit')
}
