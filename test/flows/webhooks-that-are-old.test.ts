import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openHttp } from '#harness/http-server'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { fact, openWebhooks, sequenceIn } from '#harness/webhooks'
import { dropOldMessages } from '../../src/webhooks/retention.ts'

const DAY_MS = 24 * 60 * 60_000

test('messages that are old and over are dropped, and whoever asks for them is told so', async (t) => {
  const app = await openWebhooks(t)
  const http = await openHttp(t, app)
  const apiKey = await http.apiKey('main', 'test')
  // Of one payment nothing is taken: what is open of it stays, and all that came after it.
  const receiver = await startReceiver(t, ({ body }) => (body.includes('pay_stuck') ? 500 : 204))
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${http.url}/v1/webhook-endpoints${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return {
      status: answer.status,
      body: answer.status === 204 ? {} : ((await answer.json()) as Record<string, unknown>),
    }
  }
  const { id } = (await ask('POST', '', { url: receiver.url, events: ['payment.*'] })).body
  const endpoint = String(id)
  const age = (days: number, upTo: number) =>
    app.rows("update webhooks.message set created_at = created_at - $1 * interval '1 day' where sequence <= $2", [
      days,
      upTo,
    ])
  const say = async (payment: string, count: number, from: number): Promise<void> => {
    await app.app.door.append(Array.from({ length: count }, (_, n) => fact(payment, from + n)))
    const last = `evt_main_test_${payment}_${from + count - 1}`
    const written = () => app.rows('select from webhooks.message where event_id = $1', [last])
    await until('it is written', async () => (await written()).length === 1)
  }
  const drop = async (): Promise<void> => {
    while (await dropOldMessages(app.databases.work, [endpoint], 90 * DAY_MS));
  }
  const left = async () => {
    const [row] = await app.rows<{ messages: string; deliveries: string; attempts: string }>(
      `select (select string_agg(sequence::text, ' ' order by sequence) from webhooks.message) as messages,
         (select string_agg(distinct split_part(id, '/', 2)::int::text, ' ') from delivery.delivery) as deliveries,
         (select string_agg(distinct split_part(delivery_id, '/', 2)::int::text, ' ') from delivery.attempt) as attempts`,
    )
    return row
  }

  await say('pay_1', 3, 0)
  await until('they are taken', () => receiver.taken.length === 3)
  await say('pay_stuck', 1, 0)
  await say('pay_2', 2, 0)
  await until('they are taken', () => receiver.taken.length === 5)
  await until('that is on record', async () => (await left())?.attempts === '1 2 3 4 5 6')
  await drop()
  assert.equal((await left())?.messages, '1 2 3 4 5 6')

  await age(91, 2)
  await drop()
  assert.deepEqual(await left(), { messages: '3 4 5 6', deliveries: '3 4 5 6', attempts: '3 4 5 6' })
  await age(91, 6)
  await drop()
  assert.deepEqual(await left(), { messages: '4 5 6', deliveries: '4 5 6', attempts: '4 5 6' })

  const refused = { status: 410, code: 'webhook_messages_dropped', field: 'after' }
  const asked: [method: string, path: string, body?: object][] = [
    ['GET', `/${id}/events`],
    ['GET', `/${id}/events?after=2`],
    ['POST', `/${id}/replay`, { after: 1 }],
    ['POST', `/${id}/replay`, { since: '2020-01-01T00:00:00Z' }],
  ]
  for (const [method, path, body] of asked) {
    const { status, body: problem } = await ask(method, path, body)
    assert.deepEqual({ status, code: problem.code, field: problem.field }, refused, path)
    assert.equal(problem.detail, 'after must be at least 3: messages before 4 are dropped')
  }
  assert.equal((await ask('POST', `/${id}/events/2/resend`, {})).body.code, 'webhook_message_not_found')
  const pulled = (await ask('GET', `/${id}/events?after=3`)).body.data
  assert.deepEqual(
    (pulled as { sequence: number }[]).map(({ sequence }) => sequence),
    [4, 5, 6],
  )

  // Sequences go on, and what is kept can be had again.
  await say('pay_1', 1, 3)
  await until('it is taken', () => receiver.taken.some((message) => sequenceIn(message) === 7))
  assert.equal((await ask('POST', `/${id}/replay`, { after: 4 })).status, 202)
  await until('they come again', () => receiver.taken.filter((message) => sequenceIn(message) >= 5).length === 6)

  // Of an endpoint that is gone nothing is waited for.
  const open = () => app.rows(`select from delivery.delivery where state = 'pending' and key <> 'pay_stuck'`)
  await until('they are on record', async () => (await open()).length === 0)
  assert.equal((await ask('DELETE', `/${id}`)).status, 204)
  await age(91, 7)
  await drop()
  assert.deepEqual(await left(), { messages: null, deliveries: null, attempts: null })
})
