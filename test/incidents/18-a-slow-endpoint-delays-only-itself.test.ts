import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { asked, eventIn, fact, openWebhooks, paymentIn, whose } from '#harness/webhooks'

// The accident: deliveries of all customers went through the same workers, so that one that answered slowly, or not at
// all, held up the others, and what was retried came after what followed it.

test('endpoints that never answer hold up no other', async (t) => {
  const hanging = await startReceiver(t, () => new Promise(() => {}))
  const quick = await startReceiver(t)
  const app = await openWebhooks(t)
  await app.start()
  const { endpoints, door } = app.app
  for (let n = 0; n < 5; n++) await endpoints.create(whose, { url: `${hanging.url}/${n}`, events: ['*'] }, asked)
  await endpoints.create(whose, { url: quick.url, events: ['payment.*'] }, asked)
  // More payments than an endpoint may have calls under way.
  await door.append(Array.from({ length: 200 }, (_, n) => fact(`pay_${n}`, 0)))
  await until('the quick one has all, while the others hang', () => quick.taken.length === 200, 10_000)
  assert.equal(hanging.taken.length, 0)
})

test('a payment whose message fails holds back what follows of it, and no other payment', async (t) => {
  const isRefused = (body: string): boolean => !isMended && JSON.parse(body).subject === 'pay_bad'
  let isMended = false
  const receiver = await startReceiver(t, ({ body }) => (isRefused(body) ? 500 : 204))
  const app = await openWebhooks(t)
  await app.start()
  const { endpoints, door } = app.app
  await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  for (let n = 0; n < 3; n++) await door.append(['pay_bad', 'pay_1', 'pay_2'].map((payment) => fact(payment, n)))
  await until('the others have all of theirs', () => receiver.taken.length === 6)
  assert.ok(receiver.received.every(({ body }) => !body.includes('evt_main_test_pay_bad_1')))
  isMended = true
  const bad = () => receiver.taken.filter((one) => paymentIn(one) === 'pay_bad').map(eventIn)
  await until('the rest has come', () => bad().length === 3)
  assert.deepEqual(
    bad(),
    [0, 1, 2].map((n) => `evt_main_test_pay_bad_${n}`),
  )
})
