import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createAppDatabase } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { asked, eventIn, fact, openWebhooks, paymentIn, sequenceIn, whose } from '#harness/webhooks'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** An app whose days pass when the test says so. */
async function openInTime(t: TestContext, about: { backlogMax?: number } = {}) {
  const { url } = await createAppDatabase(t)
  let offsetMs = 0
  const puppet = createPuppet({ url, name: 'in time', offsetMs: () => offsetMs })
  t.after(() => puppet.close())
  const app = await openWebhooks(t, { url, clock: puppet.clock, databases: { work: puppet.database }, ...about })
  await app.start()
  const types = async (): Promise<string[]> =>
    (await app.rows<{ type: string }>(`select type from log.event where topic = 'webhooks' order by position`)).map(
      ({ type }) => type,
    )
  const pass = (ms: number): void => {
    offsetMs += ms
  }
  return { app, endpoints: app.app.endpoints, door: app.app.door, types, pass }
}

test('410 disables at once, and nothing more is sent until it is enabled by hand', async (t) => {
  let isGone = true
  const receiver = await startReceiver(t, () => (isGone ? 410 : 204))
  const { endpoints, door, types, pass } = await openInTime(t)
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await door.append([fact('pay_1', 0)])
  await until('it is disabled', async () => (await endpoints.get({ ...whose, id })).status === 'disabled')
  assert.equal((await endpoints.get({ ...whose, id })).reason, 'gone')
  assert.deepEqual(await types(), ['webhook.endpoint_created', 'webhook.endpoint_disabled'])
  const before = receiver.received.length
  await door.append([fact('pay_1', 1)])
  pass(2 * DAY_MS)
  await until('the second waits', async () => (await endpoints.get({ ...whose, id })).backlog === 2)
  assert.equal(receiver.received.length, before)
  isGone = false
  await endpoints.change({ ...whose, id }, { status: 'enabled' }, asked)
  await until('both have come', () => receiver.taken.length === 2)
  assert.deepEqual(receiver.taken.map(sequenceIn), [1, 2])
})

test('Retry-After is kept to', async (t) => {
  const receiver = await startReceiver(t, ({ n }) =>
    n === 0 ? { status: 429, headers: { 'retry-after': '36000' } } : 204,
  )
  const { endpoints, door, pass } = await openInTime(t)
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await door.append([fact('pay_1', 0)])
  const attempts = async () => (await endpoints.attempts({ ...whose, id }, { limit: 10 })).data
  await until('it was refused', async () => (await attempts()).length === 1)
  pass(9 * HOUR_MS)
  await door.append([fact('pay_2', 0)])
  await until('the other has come', () => receiver.taken.length === 1)
  assert.equal(receiver.received.filter((one) => paymentIn(one) === 'pay_1').length, 1)
  pass(2 * HOUR_MS)
  await until('both have come', () => receiver.taken.length === 2)
})

test('five days of failure disable an endpoint, and the probe that is taken enables it', async (t) => {
  let isUp = false
  const receiver = await startReceiver(t, () => (isUp ? 204 : 500))
  const { endpoints, door, types, pass } = await openInTime(t)
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await door.append([fact('pay_1', 0)])
  await until('it fails', () => receiver.received.length > 0)
  for (let day = 0; day < 3; day++) {
    const before = receiver.received.length
    pass(DAY_MS)
    await until('it is tried again', () => receiver.received.length > before)
  }
  assert.equal((await endpoints.get({ ...whose, id })).status, 'enabled')
  pass(3 * DAY_MS)
  // Its first message is given up by then; another keeps failing.
  await door.append([fact('pay_2', 0)])
  await until('it is disabled', async () => (await endpoints.get({ ...whose, id })).status === 'disabled')
  assert.equal((await endpoints.get({ ...whose, id })).reason, 'failing')
  isUp = true
  pass(2 * HOUR_MS)
  await until('it is enabled', async () => (await endpoints.get({ ...whose, id })).status === 'enabled')
  await until('the rest has come', () => receiver.taken.some((one) => paymentIn(one) === 'pay_2'))
  const told = (await types()).filter((type) => !type.endsWith('created'))
  assert.deepEqual(told.toSorted(), [
    'webhook.delivery_abandoned',
    'webhook.endpoint_disabled',
    'webhook.endpoint_enabled',
  ])
})

test('past its backlog an endpoint is handed no more, pulls what it likes, and goes on behind it', async (t) => {
  let isUp = false
  const receiver = await startReceiver(t, () => (isUp ? 204 : 500))
  const { endpoints, door, types } = await openInTime(t, { backlogMax: 20 })
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  const ref = { ...whose, id }
  for (let n = 0; n < 50; n++) await door.append([fact('pay_1', n)])
  await until('it is behind', async () => (await endpoints.get(ref)).last_sequence === 50)
  const behind = await endpoints.get(ref)
  assert.deepEqual([behind.is_behind, behind.backlog], [true, 50])
  assert.ok((await types()).includes('webhook.endpoint_fell_behind'))
  const { data } = await endpoints.pull(ref, 0, 30)
  assert.equal(data.length, 30)
  isUp = true
  await endpoints.resume(ref, 30, asked)
  await until('the rest has come', () => receiver.taken.some((one) => sequenceIn(one) === 50))
  const after = receiver.taken.map(sequenceIn)
  assert.deepEqual(
    after.filter((sequence) => sequence > 30),
    Array.from({ length: 20 }, (_, place) => 31 + place),
  )
  await until('it has caught up', async () => (await types()).includes('webhook.endpoint_caught_up'))
  await until('nothing is left', async () => (await endpoints.get(ref)).backlog === 0)
})

/** Between saying that it is about to send and recording that it did, and everywhere around. */
test('a process that dies anywhere leaves no message unsent, and none out of order', async (t) => {
  const { url } = await createAppDatabase(t)
  const receiver = await startReceiver(t)
  let sent = 0
  for (let round = 0; round < 6; round++) {
    const puppet = createPuppet({ url, name: `doomed ${round}` })
    const app = await openWebhooks(t, { url, databases: { work: puppet.database }, clock: puppet.clock })
    if (round === 0) await app.app.endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
    await app.start()
    for (let n = 0; n < 10; n++) await app.app.door.append([fact(`pay_${n % 3}`, sent++)])
    puppet.arm({ at: 10 + 17 * round, kind: 'die' })
    await until('it is dead', () => puppet.isDead())
    app.abandon()
    await app.rows(`update log.lease set expires_at = '-infinity', owner = null`)
    await app.rows('delete from log.member')
  }
  const heir = await openWebhooks(t, { url })
  await heir.start()
  await until('all have come', () => new Set(receiver.taken.map(eventIn)).size === sent)
  for (const [payment, messages] of Map.groupBy(receiver.taken, paymentIn)) {
    const order = [...new Set(messages.map(eventIn))]
    const expected = Array.from({ length: sent }, (_, n) => n).filter((n) => `pay_${(n % 10) % 3}` === payment)
    assert.deepEqual(
      order,
      expected.map((n) => `evt_main_test_${payment}_${n}`),
    )
  }
})
