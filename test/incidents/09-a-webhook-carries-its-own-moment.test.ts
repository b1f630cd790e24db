import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { asked, eventIn, fact, openWebhooks, sequenceIn, whose } from '#harness/webhooks'

// The accident: a webhook was put together when it was sent, from what the payment was by then, so that it told of another
// moment than the one it was about. Here a receiver is away while the payment goes on, and what it is sent late, once more,
// and what it pulls are each the event's own.

test('sent late, repeated or pulled, a message says what was so when it happened', async (t) => {
  const receiver = await startReceiver(t)
  const app = await openWebhooks(t)
  await app.start()
  const { endpoints, door } = app.app
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await receiver.stop()
  await door.append([fact('pay_1', 0)])
  await until('the first is on its way', async () => (await endpoints.get({ ...whose, id })).backlog === 1)
  await door.append([fact('pay_1', 1), fact('pay_1', 2)])
  await until('all three wait', async () => (await endpoints.get({ ...whose, id })).backlog === 3)
  await receiver.restart()
  await until('all three have come', () => new Set(receiver.taken.map(eventIn)).size === 3)
  await endpoints.resend({ ...whose, id }, 1)
  await until('the first has come again', () => receiver.taken.filter((one) => sequenceIn(one) === 1).length > 1)

  const told = new Map(receiver.taken.map((one) => [sequenceIn(one), one.body]))
  for (const one of receiver.taken) assert.equal(one.body, told.get(sequenceIn(one)), 'each time the same bytes')
  const { data } = await endpoints.pull({ ...whose, id }, 0, 10)
  assert.deepEqual(
    data.map(({ sequence, payload }) => [sequence, JSON.stringify(payload)]),
    [...told].sort(([one], [other]) => one - other),
  )
  const outcomes = data.map(({ payload }) => (payload as { data: { to: string } }).data.to)
  assert.deepEqual(outcomes, ['authorized', 'failed', 'authorized'])
})
