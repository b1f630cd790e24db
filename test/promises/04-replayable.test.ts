import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { chargeSucceeded, disputeObject, refundObject, stripeEvent } from '#harness/stripe-events'
import { verifyLedger } from '#ledger'

// Projections are folds of facts: thrown away and folded anew they are what they were, row by row. Deciders that meet
// their events again are the promise "once".

test('balances thrown away are folded anew from the log, row by row the same', async (t) => {
  const app = await openApp(t)
  await app.start()
  const names = Array.from({ length: 120 }, (_, number) => `p${number}`)
  await Promise.all(names.map((name, number) => app.webhook(chargeSucceeded(name, 100 + number))))
  for (const name of names.slice(0, 30)) await app.webhook(stripeEvent('refund.created', refundObject(name, 'a', 40)))
  for (const name of names.slice(20, 40)) {
    await app.webhook(stripeEvent('charge.dispute.funds_withdrawn', disputeObject(name, 50)))
  }
  await app.settle()
  const before = await balances(app)
  assert.ok(before.length > 8)

  await app.stop()
  await app.rows('truncate ledger.balance')
  await app.rows(`update log.checkpoint set next_offset = 0 where grp = 'ledger.balances'`)
  await app.start()
  await app.settle()
  assert.deepEqual(await balances(app), before)
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  assert.deepEqual(app.reports, [])
})

test('what comes in while the past is folded anew is folded behind it', async (t) => {
  const app = await openApp(t)
  await app.start()
  await Promise.all(Array.from({ length: 60 }, (_, number) => app.webhook(chargeSucceeded(`p${number}`))))
  await app.settle()
  await app.stop()
  await app.rows('truncate ledger.balance')
  await app.rows(`update log.checkpoint set next_offset = 0 where grp = 'ledger.balances'`)
  await Promise.all([
    app.start(),
    ...Array.from({ length: 60 }, (_, number) => app.webhook(chargeSucceeded(`q${number}`))),
  ])
  await app.settle()
  const rows = await app.rows(
    `select sum(credit) as credit from ledger.balance where account = 'merchant:mer_acme:payable'`,
  )
  assert.deepEqual(rows, [{ credit: 120_000n }])
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
})

function balances(app: AppUnderTest): Promise<Record<string, unknown>[]> {
  return app.rows('select * from ledger.balance order by tenant, mode, account, currency, stripe')
}
