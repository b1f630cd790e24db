import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { traceparent } from '#harness/app'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { asked, eventIn, fact, openWebhooks, paymentIn, sequenceIn, whose } from '#harness/webhooks'

test('a message is signed so that the official library takes it, and belongs to the trace of its event', async (t) => {
  const receiver = await startReceiver(t)
  const app = await openWebhooks(t)
  await app.start()
  const { secret } = await app.app.endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await app.app.door.append([fact('pay_1', 0)])
  await until('it is there', () => receiver.taken.length === 1)
  const [message] = receiver.taken
  assert.ok(message)
  const payload = new Webhook(secret).verify(message.body, message.headers as Record<string, string>)
  assert.deepEqual(payload, JSON.parse(message.body))
  assert.equal(message.headers['millrace-sequence'], '1')
  assert.equal(String(message.headers.traceparent).slice(0, 35), traceparent.slice(0, 35))
  const { id, type, mode, subject, data } = JSON.parse(message.body)
  assert.deepEqual(
    { id, type, mode, subject, data },
    {
      id: 'evt_main_test_pay_1_0',
      type: 'payment.status_changed',
      mode: 'test',
      subject: 'pay_1',
      data: { from: 'pending', to: 'authorized' },
    },
  )
})

/** The receiver's own count is the judge: it fails one call in ten, and is away in the middle. */
test('a receiver that fails one call in ten and restarts in the middle gets all, in order for each payment', async (t) => {
  const [payments, each] = [40, 10]
  const receiver = await startReceiver(t, ({ n }) => (n % 10 === 3 ? 503 : 204))
  const app = await openWebhooks(t)
  await app.start()
  await app.app.endpoints.create(whose, { url: receiver.url, events: ['*'] }, asked)
  const append = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) {
      await app.app.door.append(Array.from({ length: payments }, (_, payment) => fact(`pay_${payment}`, n)))
    }
  }
  await append(0, each / 2)
  await until('half has come', () => receiver.taken.length > (payments * each) / 4)
  await receiver.stop()
  await append(each / 2, each)
  await receiver.restart()
  const own = () => receiver.taken.filter(({ body }) => JSON.parse(body).type === 'payment.status_changed')
  await until('all have come', () => new Set(own().map(eventIn)).size === payments * each, 60_000)
  for (const [payment, messages] of Map.groupBy(own(), paymentIn)) {
    const order = [...new Set(messages.map(eventIn))]
    assert.deepEqual(
      order,
      Array.from({ length: each }, (_, n) => `evt_main_test_${payment}_${n}`),
    )
  }
  const sequences = [...new Set(receiver.taken.map(sequenceIn))].sort((one, other) => one - other)
  assert.deepEqual(
    sequences,
    sequences.map((_, place) => place + 1),
    'no gap',
  )
  assert.deepEqual(app.reports, [])
})
