import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { mapStripeEvent, objectAt, textAt, verifySignature } from '#gateways/stripe'
import { nowhere, openSimulatedGateway, webhookSecret } from '#harness/simulated-gateway'
import { type Clock, systemClock } from '#kernel/clock'
import type { HttpFetch } from '#kernel/fetch'
import { BankRefusal } from './bank.ts'
import { listen } from './listen.ts'
import type { SimulatedGatewayOptions } from './server.ts'

const digest = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 26)

type Received = { readonly id: string; readonly type: string; readonly signature: string }

/** Stands where intake will: takes webhooks over real HTTP, and answers as told. */
async function openReceiver(t: TestContext, statusOf: (seen: number) => number = () => 200) {
  const received: Received[] = []
  const receiver = await listen(0, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const body = Buffer.concat(chunks)
    const header = String(request.headers['stripe-signature'])
    const event = mapStripeEvent(JSON.parse(body.toString()), digest)
    assert.notEqual(event, 'not_an_event')
    if (event === 'not_an_event') return
    const signature = verifySignature({ body, header, secrets: [webhookSecret], nowMs: systemClock.now() })
    received.push({ id: event.eventId, type: event.eventType, signature })
    response.writeHead(statusOf(received.length)).end()
  })
  t.after(receiver.close)
  return { url: receiver.url, received }
}

const openGateway = (t: TestContext, options: Partial<SimulatedGatewayOptions>) =>
  openSimulatedGateway(t, { deliver: 'send', ...options })

/** Waits cost nothing, and are remembered. */
function hurriedClock(): { clock: Clock; waits: number[] } {
  const waits: number[] = []
  const clock: Clock = {
    ...systemClock,
    sleep(ms, signal) {
      // What only guards an exchange must not fire before the exchange had its chance.
      if (ms === 10_000) return systemClock.sleep(ms, signal)
      waits.push(ms)
      return Promise.resolve()
    },
  }
  return { clock, waits }
}

const payment = { amount: 1500, currency: 'eur', confirm: true, payment_method: 'pm_sim_approve' }

test('an approved payment sends its signed lineage of events', async (t) => {
  const { url, received } = await openReceiver(t)
  const { gateway, call } = await openGateway(t, { webhookUrl: url })
  assert.equal((await call('POST', '/v1/payment_intents', payment)).body.status, 'succeeded')
  await gateway.idle()
  assert.deepEqual(received.map(({ type }) => type).sort(), [
    'charge.succeeded',
    'payment_intent.created',
    'payment_intent.succeeded',
  ])
  assert.ok(received.every(({ signature }) => signature === 'valid'))
  assert.deepEqual(gateway.counts(), { sent: 3, delivered: 3, retried: 0, failed: 0 })
})

test('a webhook is sent again, later and later, until it is acknowledged', async (t) => {
  const { url, received } = await openReceiver(t, (seen) => (seen < 4 ? 500 : 200))
  const { clock, waits } = hurriedClock()
  const { gateway } = await openGateway(t, { webhookUrl: url, clock, deliver: 'hold' })
  gateway.reportPayment({ amount: 100, currency: 'eur' })
  await gateway.release((events) => events.slice(0, 1))
  assert.deepEqual([received.length, new Set(received.map(({ id }) => id)).size], [4, 1])
  assert.deepEqual(waits, [1000, 2000, 4000])
  assert.deepEqual(gateway.counts(), { sent: 4, delivered: 1, retried: 3, failed: 0 })
})

test('many webhooks at once wait their turn, and all arrive', async (t) => {
  let [atOnce, most] = [0, 0]
  const fetch: HttpFetch = async () => {
    atOnce += 1
    most = Math.max(most, atOnce)
    await new Promise((resolve) => setImmediate(resolve))
    atOnce -= 1
    return { status: 200, headers: {}, body: '' }
  }
  const { gateway } = await openGateway(t, { webhookUrl: nowhere, fetch })
  for (let count = 0; count < 100; count += 1) gateway.reportPayment({ amount: 100, currency: 'eur' })
  await gateway.idle()
  assert.deepEqual([most, gateway.counts().delivered], [32, 300])
})

test('a webhook nobody takes is given up after the last attempt', async (t) => {
  const { clock } = hurriedClock()
  const { gateway } = await openGateway(t, { webhookUrl: nowhere, clock, deliver: 'hold', webhookAttemptsMax: 3 })
  gateway.reportPayment({ amount: 100, currency: 'eur' })
  await gateway.release((events) => events.slice(0, 1))
  assert.deepEqual(gateway.counts(), { sent: 3, delivered: 0, retried: 2, failed: 1 })
})

test('held webhooks are sent in the order and as often as the caller says', async (t) => {
  const { url, received } = await openReceiver(t)
  const { gateway } = await openGateway(t, { webhookUrl: url, deliver: 'hold' })
  gateway.reportPayment({ amount: 100, currency: 'eur' })
  assert.equal(received.length, 0)
  await gateway.release((events) => [...events].reverse().concat(events))
  const ids = gateway.events().map(({ id }) => id)
  assert.deepEqual(
    received.map(({ id }) => id),
    [...[...ids].reverse(), ...ids],
  )
})

test('a webhook that is to be first is acknowledged before the answer', async (t) => {
  const { url, received } = await openReceiver(t)
  const { call } = await openGateway(t, { webhookUrl: url })
  await call('POST', '/v1/payment_intents', { ...payment, payment_method: 'pm_sim_webhook_first' })
  assert.equal(received.length, 3)
})

test('a payment with duplicate webhooks sends each twice', async (t) => {
  const { url, received } = await openReceiver(t)
  const { gateway, call } = await openGateway(t, { webhookUrl: url })
  await call('POST', '/v1/payment_intents', { ...payment, payment_method: 'pm_sim_duplicate_webhooks' })
  await gateway.idle()
  assert.deepEqual([received.length, new Set(received.map(({ id }) => id)).size], [6, 3])
})

test('the same seed makes the same events, ids and all', async (t) => {
  const bodies = await Promise.all(
    [1, 2].map(async () => {
      const clock: Clock = { ...systemClock, now: () => 1_760_000_000_000 }
      const { gateway } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold', clock })
      const intent = gateway.reportPayment({ amount: 1500, currency: 'eur' })
      gateway.refund(intent.latest_charge?.id ?? '', 400)
      return gateway.events().map(({ body }) => body)
    }),
  )
  assert.equal(bodies[0]?.length, 5)
  assert.deepEqual(bodies[0], bodies[1])
})

test('a key gives the same answer for a day, also after the payment went on', async (t) => {
  let nowMs = 1_760_000_000_000
  const clock: Clock = { ...systemClock, now: () => nowMs, monotonicMs: () => nowMs }
  const { call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold', clock })
  const manual = { ...payment, capture_method: 'manual' }
  const first = await call('POST', '/v1/payment_intents', manual, 'key')
  await call('POST', `/v1/payment_intents/${first.body.id}/capture`, {})
  nowMs += 86_400_000 - 1
  assert.deepEqual(await call('POST', '/v1/payment_intents', manual, 'key'), first)
  assert.equal((await call('POST', '/v1/payment_intents', payment, 'key')).status, 400)
  nowMs += 1
  assert.notEqual((await call('POST', '/v1/payment_intents', manual, 'key')).body.id, first.body.id)
})

test('an authorization is captured in part, the rest is released', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const { body } = await call('POST', '/v1/payment_intents', { ...payment, capture_method: 'manual' })
  const captured = await call('POST', `/v1/payment_intents/${body.id}/capture`, { amount_to_capture: 1000 })
  assert.deepEqual([captured.body.status, captured.body.amount_received], ['succeeded', 1000])
  const last = mapStripeEvent(JSON.parse(gateway.events().at(-1)?.body ?? ''), digest)
  assert.ok(last !== 'not_an_event')
  const charge = last.reports.find((report) => report.kind === 'charge')
  assert.deepEqual([charge?.status, charge?.captured, charge?.refunded], ['captured', 1000, 0])
})

test('a canceled authorization is voided', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const { body } = await call('POST', '/v1/payment_intents', { ...payment, capture_method: 'manual' })
  assert.equal((await call('POST', `/v1/payment_intents/${body.id}/cancel`, {})).body.status, 'canceled')
  const last = mapStripeEvent(JSON.parse(gateway.events().at(-1)?.body ?? ''), digest)
  const [charge] = last === 'not_an_event' ? [] : last.reports
  assert.equal(charge?.kind === 'charge' && charge.status, 'voided')
})

test('a payment goes through refund, dispute and payout, and the balance is what is left', async (t) => {
  const { gateway } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold', feeBasisPoints: 100 })
  const charge = gateway.reportPayment({ amount: 10_000, currency: 'eur' }).latest_charge?.id ?? ''
  gateway.refund(charge, 2000)
  gateway.winDispute(gateway.dispute(charge, 1000).id)
  gateway.loseDispute(gateway.dispute(charge, 500).id)
  // 10,000 less a fee of 100, a refund of 2,000, two dispute fees of 1,500 and the lost 500.
  assert.equal(gateway.payout('EUR')?.amount, 10_000 - 100 - 2000 - 3000 - 500)
  assert.equal(gateway.payout('EUR'), undefined)
  const reports = gateway.events().map(({ body }) => {
    const event = mapStripeEvent(JSON.parse(body), digest)
    assert.ok(event !== 'not_an_event')
    assert.deepEqual(event.dropped, [])
    return `${event.eventType} ${event.reports.map(({ kind }) => kind).join('+')}`
  })
  assert.deepEqual(reports, [
    'payment_intent.created intent',
    'charge.succeeded charge+fee',
    'payment_intent.succeeded intent+charge+fee',
    'refund.created refund',
    'charge.refunded charge+fee',
    'charge.dispute.created dispute',
    'charge.dispute.funds_withdrawn dispute+fee',
    'charge.dispute.closed dispute+fee',
    'charge.dispute.funds_reinstated dispute+fee',
    'charge.dispute.created dispute',
    'charge.dispute.funds_withdrawn dispute+fee',
    'charge.dispute.closed dispute+fee',
    'payout.created payout',
    'payout.paid payout',
  ])
})

test('what was refunded, or never captured, cannot be disputed', async (t) => {
  const { gateway } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const charge = gateway.reportPayment({ amount: 1000, currency: 'eur' }).latest_charge?.id ?? ''
  gateway.refund(charge, 600)
  assert.throws(() => gateway.dispute(charge, 401), BankRefusal)
  assert.equal(gateway.dispute(charge).amount, 400)
  const held = gateway.reportPayment({ amount: 1000, currency: 'eur', captureMethod: 'manual' })
  assert.throws(() => gateway.dispute(held.latest_charge?.id ?? ''), BankRefusal)
})

test('no more is refunded than was captured', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const charge = gateway.reportPayment({ amount: 1000, currency: 'eur' }).latest_charge?.id
  assert.equal((await call('POST', '/v1/refunds', { charge, amount: 600 })).status, 200)
  assert.equal((await call('POST', '/v1/refunds', { charge, amount: 401 })).body.error.code, 'amount_too_large')
  assert.equal((await call('POST', '/v1/refunds', { charge })).body.amount, 400)
  assert.equal((await call('POST', '/v1/refunds', { charge })).body.error.code, 'charge_already_refunded')
})

for (const [name, method, path, body, status, code] of [
  ['no amount', 'POST', '/v1/payment_intents', { currency: 'eur' }, 400, 'parameter_missing_amount'],
  ['amount in a string', 'POST', '/v1/payment_intents', { ...payment, amount: '1' }, 400, 'parameter_invalid_integer'],
  ['amount of nothing', 'POST', '/v1/payment_intents', { ...payment, amount: 0 }, 400, 'parameter_invalid_integer'],
  ['unknown currency', 'POST', '/v1/payment_intents', { ...payment, currency: 'zzz' }, 400, 'invalid_currency'],
  ['unknown intent', 'GET', '/v1/payment_intents/pi_none', undefined, 404, 'resource_missing'],
  ['capture of none', 'POST', '/v1/payment_intents/pi_none/capture', {}, 404, 'resource_missing'],
  ['refund of none', 'POST', '/v1/refunds', { charge: 'ch_none' }, 404, 'resource_missing'],
  ['a body that is no object', 'POST', '/v1/refunds', [], 400, 'body_invalid'],
  ['unknown address', 'GET', '/v1/secrets', undefined, 404, 'url_unknown'],
] as const) {
  test(`the API refuses: ${name}`, async (t) => {
    const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
    const answer = await call(method, path, body)
    assert.deepEqual([answer.status, textAt(objectAt(answer.body, 'error') ?? {}, 'code')], [status, code])
    assert.equal(gateway.events().length, 0)
  })
}

test('an intent is shown by its id, and the gateway says it is well', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const { id } = gateway.reportPayment({ amount: 100, currency: 'eur' })
  assert.equal((await call('GET', `/v1/payment_intents/${id}`)).body.id, id)
  assert.equal((await call('GET', '/healthz')).status, 200)
})

test('a slow payment answers after its wait, without a real one here', async (t) => {
  const { clock, waits } = hurriedClock()
  const { call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold', clock })
  await call('POST', '/v1/payment_intents', { ...payment, payment_method: 'pm_sim_slow_250' })
  assert.deepEqual(waits, [250])
})

test('stopping lets go of what hangs and of what waits to be sent again', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere })
  const hanging = call('POST', '/v1/payment_intents', { ...payment, payment_method: 'pm_sim_timeout_after_charge' })
  const ended = assert.rejects(hanging)
  gateway.reportPayment({ amount: 100, currency: 'eur' })
  await gateway.stop()
  await ended
  await gateway.stop()
})

test('a port that is taken is an error, and nothing stays behind', async (t) => {
  const { gateway } = await openGateway(t, { webhookUrl: nowhere })
  const port = Number(new URL(gateway.url).port)
  await assert.rejects(openGateway(t, { webhookUrl: nowhere, port }), /EADDRINUSE/)
})

for (const [path, body, code] of [
  ['/control/explode', {}, 'parameter_invalid'],
  ['/control/refund', { payment: 'pay_none' }, 'resource_missing'],
  ['/control/refund', { amount: '1' }, 'parameter_invalid'],
  ['/control/refund', { colour: 'red' }, 'parameter_invalid'],
  ['/control/advance', { seconds: -1 }, 'parameter_invalid'],
  ['/control/advance', {}, 'parameter_invalid'],
  ['/control/payments', { currency: 'eur' }, 'parameter_missing_amount'],
] as const) {
  test(`${path} refuses ${JSON.stringify(body)}`, async (t) => {
    const { call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
    const answer = await call('POST', path, body)
    assert.deepEqual([Math.floor(answer.status / 100), answer.body.error.code], [4, code])
    assert.doesNotMatch(answer.body.error.message, /\n/)
  })
}

test('a payment that began at the gateway is refunded, disputed and paid out by calls, and its file says so', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold', feeBasisPoints: 100 })
  const metadata = { millrace_payment: 'pay_"one"' }
  const { id } = (await call('POST', '/control/payments', { amount: 10_000, currency: 'eur', metadata })).body
  await call('POST', '/control/refund', { object: id, amount: 2000 })
  await call('POST', '/control/open_dispute', { payment: 'pay_"one"', amount: 1000 })
  await call('POST', '/control/win_dispute', { payment: 'pay_"one"' })
  const [payout] = (await call('POST', '/control/pay_out', { currency: 'EUR' })).body.data
  assert.equal(payout.amount, 10_000 - 100 - 2000 - 1500)
  const { text, headers } = await call('GET', `/v1/settlements/${payout.id}.csv`)
  assert.equal(headers['content-type'], 'text/csv; charset=utf-8')
  const rows = text.trimEnd().split('\r\n').slice(1)
  assert.deepEqual(
    rows.map((row) => row.split(',').filter((_, column) => [1, 3, 4, 5, 6, 7].includes(column))),
    [
      ['charge', '"pay_""one"""', '10000', '100', '9900', 'EUR'],
      ['refund', '"pay_""one"""', '-2000', '0', '-2000', 'EUR'],
      ['adjustment', '"pay_""one"""', '-1000', '1500', '-2500', 'EUR'],
      ['adjustment', '"pay_""one"""', '1000', '0', '1000', 'EUR'],
    ],
  )
  const named = (await call('GET', `/v1/balance_transactions?payout=${payout.id}`)).body.data
  assert.deepEqual([named.length, gateway.settlementFile(payout.id)], [4, text])
  assert.equal((await call('GET', '/v1/settlements/po_none.csv')).status, 404)
  assert.equal((await call('GET', '/v1/events')).body.data.at(-1).type, 'payout.paid')
})

test('a charge is not an intent: what is asked of the wrong object is refused', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const { id, latest_charge: charge } = gateway.reportPayment({ amount: 100, currency: 'eur', captureMethod: 'manual' })
  assert.equal((await call('POST', `/v1/payment_intents/${charge?.id}/capture`, {})).status, 404)
  assert.equal((await call('POST', '/v1/refunds', { charge: id })).status, 404)
})

test('the refund that is named fails, and not the newest', async (t) => {
  const { gateway, call } = await openGateway(t, { webhookUrl: nowhere, deliver: 'hold' })
  const charge = gateway.reportPayment({ amount: 1000, currency: 'eur' }).latest_charge?.id ?? ''
  const [one, other] = [gateway.refund(charge, 300), gateway.refund(charge, 400)]
  await call('POST', '/control/fail_refund', { object: one.id, reason: 'lost_or_stolen_card' })
  assert.deepEqual([one.status, one.failure_reason, other.status], ['failed', 'lost_or_stolen_card', 'succeeded'])
})
