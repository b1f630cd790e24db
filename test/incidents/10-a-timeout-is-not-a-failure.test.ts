import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAppDatabase, openApp } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { until } from '#harness/until'
import { type Clock, systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'

// The accident: the gateway charged and then did not answer; the timeout was taken for a failure, the customer paid
// again, or the payment stayed "processing" for ever. With `unknown` told as `failed` in client.ts the payment ends as
// failed; without the inquiry's timer it stays unknown. The gateway's webhooks are lost here, so that asking is all.

test('a gateway that charges and does not answer is asked, and the payment ends captured, once', async (t) => {
  const { url } = await createAppDatabase(t)
  let offsetMs = 0
  const puppet = createPuppet({ url, name: 'work', offsetMs: () => offsetMs })
  t.after(() => puppet.close())
  const gateway = await openGateway(t)
  const net = systemFetch(hurried(50))
  t.after(() => net.close())
  const { database: work, clock } = puppet
  const app = await openApp(t, { url, databases: { work }, clock, fetch: net.fetch, accounts: [gateway.account] })
  await app.start()

  const { id } = await app.pay({ key: 'order-1', payment_method: 'pm_sim_timeout_after_charge' })
  const statusIs = (wanted: string) => async (): Promise<boolean> =>
    (await app.rows<{ status: string }>('select status from payments.payment where id = $1', [id]))[0]?.status ===
    wanted
  await until('the payment is unknown', statusIs('unknown'))
  assert.equal(gateway.intentsOf(id).length, 1)

  offsetMs += 6_000
  await until('the payment is captured', statusIs('captured'))
  await app.settle()
  assert.equal(gateway.intentsOf(id).length, 1)
  assert.deepEqual(await app.rows(`select count(*)::int as n from ledger.entry where purpose = 'capture'`), [{ n: 1 }])
  const told = await app.rows<{ to: string }>(
    `select data ->> 'to' as to from log.event where type = 'payment.status_changed' order by position`,
  )
  assert.deepEqual(told, [{ to: 'unknown' }])
  assert.deepEqual(await app.rows('select id from log.timer where fired_at is null'), [])
})

test('a gateway that neither charged nor answered is asked until it is sure', async (t) => {
  const { url } = await createAppDatabase(t)
  let offsetMs = 0
  const puppet = createPuppet({ url, name: 'work', offsetMs: () => offsetMs })
  t.after(() => puppet.close())
  const gateway = await openGateway(t)
  const net = systemFetch(hurried(50))
  t.after(() => net.close())
  const { database: work, clock } = puppet
  const app = await openApp(t, { url, databases: { work }, clock, fetch: net.fetch, accounts: [gateway.account] })
  await app.start()
  const { id } = await app.pay({ key: 'order-1', payment_method: 'pm_sim_timeout_before_charge' })
  await until('the payment ends', async () => {
    offsetMs += 1_000
    const [payment] = await app.rows<{ status: string }>('select status from payments.payment where id = $1', [id])
    return payment?.status === 'failed'
  })
  await app.settle()
  assert.equal(gateway.intentsOf(id).length, 0)
  assert.deepEqual(await app.rows('select source from ledger.entry'), [])
})

/** Time for a client that is impatient: what it would wait for ten seconds is over in a part of one. */
function hurried(times: number): Clock {
  return { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / times, signal) }
}
