import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, createAppDatabase, openApp, traceparent } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { until } from '#harness/until'
import { FetchFailure } from '#kernel/fetch'
import { brandId, type TenantId } from '#kernel/ids'
import { findPayments } from '#payments'
import type { RiskScorer } from '#risk'

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

// While a request waits, its card may be reported stolen: the score at the door says how things were then.
test('a request that waited six minutes is scored anew, and refused if it is risky by now', async (t) => {
  let offsetMs = 0
  let isStolen = false
  const scorer: RiskScorer = () => (isStolen ? { score: 1, reasons: ['card_stolen'] } : { score: 0, reasons: [] })
  const { app, gateway } = await open(t, () => offsetMs, undefined, scorer)
  const waited = await app.pay({ key: 'waited' })
  isStolen = true
  offsetMs += 6 * 60_000
  await app.start()
  await app.settle()
  assert.equal(gateway.intentsOf(waited.id).length, 0)
  const told = await app.rows<{ type: string }>(
    `select type from log.event where key = $1 and topic = 'payments' order by position`,
    [waited.id],
  )
  assert.deepEqual(
    told.map(({ type }) => type),
    ['payment.created', 'payment.risk_renewed', 'payment.rejected'],
  )
  isStolen = false
  const fresh = await app.pay({ key: 'waited too' })
  await app.settle()
  assert.equal(gateway.intentsOf(fresh.id).length, 1)
})

test('a capture that waited past its own time is not made; a refund has no such time', async (t) => {
  let offsetMs = 0
  const { app, gateway } = await open(t, () => offsetMs)
  await app.start()
  const held = await app.pay({ key: 'held', capture_mode: 'manual' })
  const paid = await app.pay({ key: 'paid' })
  await app.settle()
  await app.stop()
  const ask = (payment: string, call: 'capture' | 'refund') =>
    app.app.acceptOperation({
      tenant: brandId<TenantId>('main'),
      mode: 'test',
      payment,
      call,
      idempotencyKey: 'key-1',
      body: {},
      traceparent,
    })
  await ask(held.id, 'capture')
  await ask(paid.id, 'refund')
  offsetMs += twoHoursMs
  await app.start()
  await app.settle()
  const [late] = await findPayments(app.databases.read, [{ tenant: 'main', mode: 'test', id: held.id }])
  assert.deepEqual([late?.status, late?.operations.at(-1)?.code], ['authorized', 'operation_expired'])
  assert.equal(gateway.intentsOf(held.id)[0]?.amount_received, 0)
  const [given] = await findPayments(app.databases.read, [{ tenant: 'main', mode: 'test', id: paid.id }])
  assert.equal(given?.status, 'refunded')
})

async function open(
  t: { after(work: () => Promise<void>): void },
  offsetMs: () => number,
  fetch?: () => Promise<never>,
  scorer?: RiskScorer,
) {
  const { url } = await createAppDatabase(t)
  const puppet = createPuppet({ url, name: 'work', offsetMs })
  t.after(() => puppet.close())
  const gateway = await openGateway(t)
  const { database: work, clock } = puppet
  const settings = {
    url,
    databases: { work },
    clock,
    accounts: [gateway.account],
    ...(fetch ? { fetch } : {}),
    ...(scorer ? { scorer } : {}),
  }
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
