import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, createAppDatabase, openApp } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { until } from '#harness/until'
import { FetchFailure } from '#kernel/fetch'

// The accident: a request waited two hours in a queue, and the card was charged when nobody wanted it any more. It may
// wait in two places: on the log, before it is decided, and at a gateway that cannot be reached. Without `notAfter` in
// deliverer.ts the second test charges; without the check in decide.ts as well, the first.

const twoHoursMs = 2 * 60 * 60 * 1000

test('a request that waited two hours on the log is refused at execution, with an event', async (t) => {
  let offsetMs = 0
  const { app, gateway } = await open(t, () => offsetMs)
  const { id } = await app.pay({ key: 'late' })
  const inTime = await app.pay({ key: 'patient', expires_at: new Date(Date.now() + 3 * twoHoursMs).toISOString() })
  offsetMs += twoHoursMs
  await app.start()
  await app.settle()
  assert.equal(gateway.intentsOf(id).length, 0)
  assert.deepEqual(await endOf(app, id), { status: 'expired', code: 'payment_expired' })
  assert.equal(gateway.intentsOf(inTime.id).length, 1)
})

test('a call that waited for its gateway until the request had expired is never made', async (t) => {
  let offsetMs = 0
  let calls = 0
  const { app, gateway } = await open(
    t,
    () => offsetMs,
    async () => {
      calls++
      throw new FetchFailure('connect', 'connection')
    },
  )
  await app.start()
  const { id } = await app.pay({ key: 'late' })
  await until('the gateway was not reached', () => calls > 0)
  const before = calls
  offsetMs += twoHoursMs
  await app.settle()
  assert.deepEqual(await endOf(app, id), { status: 'expired', code: 'payment_expired' })
  assert.equal(calls, before)
  assert.equal(gateway.intentsOf(id).length, 0)
})

async function open(
  t: { after(work: () => Promise<void>): void },
  offsetMs: () => number,
  fetch?: () => Promise<never>,
) {
  const { url } = await createAppDatabase(t)
  const puppet = createPuppet({ url, name: 'work', offsetMs })
  t.after(() => puppet.close())
  const gateway = await openGateway(t)
  const { database: work, clock } = puppet
  const settings = { url, databases: { work }, clock, accounts: [gateway.account], ...(fetch ? { fetch } : {}) }
  const app = await openApp(t, settings)
  return { app, gateway }
}

async function endOf(app: AppUnderTest, id: string) {
  const [payment] = await app.rows<{ status: string }>('select status from payments.payment where id = $1', [id])
  const [changed] = await app.rows<{ code: string }>(
    `select data ->> 'code' as code from log.event where key = $1 and type = 'payment.status_changed'`,
    [id],
  )
  return { status: payment?.status, code: changed?.code }
}
