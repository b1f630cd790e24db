import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { startReceiver } from '#harness/receiver'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { statement } from '#kernel/database'
import { unpostedMoney } from '#ledger'
import { order, startTestPlatform } from './platform.ts'

test('a payment can be followed in the metrics: accepted, called, decided, posted, told', async (t) => {
  const receiver = await startReceiver(t)
  const platform = await startTestPlatform(t, { webhooks: { allowHosts: ['127.0.0.1'], backlogMax: 100 } })
  const endpoint = JSON.stringify({ url: receiver.url, events: ['payment.captured'] })
  assert.equal((await platform.request('POST', '/v1/webhook-endpoints', { body: endpoint })).status, 201)
  const metrics = async () => String((await platform.request('GET', '/metrics')).body.text)
  await platform.paymentThatIs('captured', (await platform.pay(order)).body.id)
  const last = [
    /posted_entries_total\{purpose="fee"\} 1\n/,
    /delivery_seconds_count\{destination="webhooks",outcome="done"\} 1\n/,
  ]
  await until('it is posted, and the merchant told', async () => {
    const text = await metrics()
    return last.every((line) => line.test(text))
  })
  const text = await metrics()
  for (const line of [
    /^millrace_accepted_total\{kind="payment",outcome="accepted"\} 1$/m,
    /^millrace_accept_seconds_count\{kind="payment"\} 1$/m,
    /^millrace_accept_seconds_count\{kind="webhook"\} [1-9]/m,
    /^millrace_delivery_attempt_seconds_count\{destination="gateway",outcome="done"\} 1$/m,
    /^millrace_payments_decided_total\{status="captured"\} 1$/m,
    /^millrace_posted_entries_total\{purpose="capture"\} 1$/m,
    /^millrace_posted_minor_units_total\{currency="EUR"\} 2\d\d\d$/m,
  ]) {
    assert.match(text, line)
  }
  assert.doesNotMatch(text, /pay_|evt_|mer_books/)
})

test('money that the ledger has not read is counted by currency', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('one'))
  await app.settle()
  await app.stop()
  const { read, work } = app.databases
  assert.deepEqual(await unpostedMoney(read), [])
  // As if the ledger had slept through all of it.
  const back = `update log.checkpoint set next_offset = 0 where grp = 'ledger.post-payments'`
  await work.query(statement('test.ledger_back', back))
  const [moved] = await app.rows<{ amount: string; currency: string }>(
    `select sum(abs((data ->> 'delta')::bigint))::text as amount, data ->> 'currency' as currency
     from log.event where data ->> 'delta' is not null group by 2`,
  )
  assert.ok(moved)
  const { amount, currency } = moved
  assert.deepEqual(await unpostedMoney(read), [{ group: 'ledger.post-payments', currency, amount: BigInt(amount) }])
})
