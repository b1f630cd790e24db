import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { openHttp } from '#harness/http-server'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { fact, openWebhooks, sequenceIn } from '#harness/webhooks'

type Body = Record<string, unknown>
type Reply = { status: number; body: Body }

/** The API as its users see it. */
async function openApi(t: TestContext) {
  const app = await openWebhooks(t)
  const http = await openHttp(t, app)
  const key = await http.apiKey('main', 'test')
  const ask = async (method: string, path: string, body?: object, apiKey = key): Promise<Reply> => {
    const headers = { authorization: `Bearer ${apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) }
    const sent = body ? { body: JSON.stringify(body) } : {}
    const answer = await fetch(new URL(path, http.url), { method, headers, ...sent })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? {} : JSON.parse(text) }
  }
  return { app, http, ask }
}

const ENDPOINTS = '/v1/webhook-endpoints'

test('an endpoint is made, shown, changed and deleted, and its secret is shown once', async (t) => {
  const { ask } = await openApi(t)
  const made = await ask('POST', ENDPOINTS, { url: 'http://127.0.0.1:9/hooks?token=x', events: ['payment.captured'] })
  assert.equal(made.status, 201)
  const { secret, ...endpoint } = made.body
  assert.match(String(secret), /^whsec_[A-Za-z0-9+/]{43}=$/)
  const path = `${ENDPOINTS}/${endpoint.id}`
  assert.deepEqual((await ask('GET', path)).body, endpoint)
  assert.deepEqual((await ask('GET', ENDPOINTS)).body.data, [endpoint])
  const patch = { events: ['payment.*', 'payout.paid'], description: 'Shop', rate_limit: 50, status: 'disabled' }
  const { body: changed } = await ask('PATCH', path, patch)
  assert.deepEqual(
    [changed.events, changed.description, changed.rate_limit, changed.status, changed.reason],
    [patch.events, 'Shop', 50, 'disabled', 'by_hand'],
  )
  assert.equal((await ask('PATCH', path, { status: 'enabled' })).body.status, 'enabled')
  assert.equal((await ask('DELETE', path)).status, 204)
  assert.equal((await ask('GET', path)).status, 404)
  assert.deepEqual((await ask('GET', ENDPOINTS)).body.data, [])
})

test('what cannot be is refused by the name of its field', async (t) => {
  const { ask } = await openApi(t)
  const url = 'http://127.0.0.1:9/'
  const refusals: [body: object, code: string, field: string][] = [
    [{ url, events: ['payment.captrued'] }, 'body_invalid', 'events'],
    [{ url, events: [] }, 'body_invalid', 'events'],
    [{ events: ['*'] }, 'body_invalid', 'url'],
    [{ url: 'http://10.0.0.1/', events: ['*'] }, 'webhook_url_refused', 'url'],
    [{ url, events: ['*'], rate_limit: 0 }, 'body_invalid', 'rate_limit'],
    [{ url, events: ['*'], version: '1999-01-01' }, 'body_invalid', 'version'],
  ]
  for (const [body, code, field] of refusals) {
    const answer = await ask('POST', ENDPOINTS, body)
    assert.deepEqual([answer.body.code, answer.body.field], [code, field], JSON.stringify(body))
  }
  const { id } = (await ask('POST', ENDPOINTS, { url, events: ['*'] })).body
  const replay = (body: object): Promise<Reply> => ask('POST', `${ENDPOINTS}/${id}/replay`, body)
  for (const body of [{}, { after: 1, since: '2026-11-21T09:30:00Z' }, { after: 5 }]) {
    assert.deepEqual(
      [(await replay(body)).status, (await replay(body)).body.field],
      [400, 'after'],
      JSON.stringify(body),
    )
  }
  assert.equal((await ask('POST', `${ENDPOINTS}/${id}/events/7/resend`, {})).body.code, 'webhook_message_not_found')
})

test('an endpoint of another tenant or mode is not there, and hears nothing of mine', async (t) => {
  const { app, http, ask } = await openApi(t)
  const receiver = await startReceiver(t)
  const strangers = [await http.apiKey('south', 'test'), await http.apiKey('main', 'live')]
  const { id } = (await ask('POST', ENDPOINTS, { url: receiver.url, events: ['payment.*'] })).body
  const path = `${ENDPOINTS}/${id}`
  for (const apiKey of strangers) {
    assert.deepEqual((await ask('GET', ENDPOINTS, undefined, apiKey)).body.data, [])
    const asked: [method: string, path: string, body?: object][] = [
      ['GET', path],
      ['PATCH', path, { status: 'disabled' }],
      ['DELETE', path],
      ['GET', `${path}/events`],
      ['GET', `${path}/attempts`],
      ['POST', `${path}/rotate-secret`, {}],
      ['POST', `${path}/test`, {}],
      ['POST', `${path}/resume`, {}],
      ['POST', `${path}/replay`, { after: 0 }],
      ['POST', `${path}/events/1/resend`, {}],
    ]
    for (const [method, at, body] of asked) {
      const answer = await ask(method, at, body, apiKey)
      assert.equal(answer.body.code, 'webhook_endpoint_not_found', `${method} ${at}`)
    }
  }
  await app.app.door.append([
    fact('pay_1', 0, { tenant: 'south' }),
    fact('pay_1', 0, { mode: 'live' }),
    fact('pay_1', 0),
  ])
  await until('mine has come', () => receiver.taken.length > 0)
  await app.settle()
  assert.deepEqual(
    receiver.received.map(({ headers }) => headers['webhook-id']),
    ['evt_main_test_pay_1_0'],
  )
})

test('while a secret is replaced both sign, and then the new one alone', async (t) => {
  const { app, ask } = await openApi(t)
  const receiver = await startReceiver(t)
  const { id, secret } = (await ask('POST', ENDPOINTS, { url: receiver.url, events: ['payment.*'] })).body
  const rotate = async (overlap: number): Promise<string> => {
    const { body } = await ask('POST', `${ENDPOINTS}/${id}/rotate-secret`, { overlap_seconds: overlap })
    return String(body.secret)
  }
  const verifies = (by: unknown): boolean => {
    const message = receiver.taken.at(-1)
    try {
      new Webhook(String(by)).verify(message?.body ?? '', (message?.headers ?? {}) as Record<string, string>)
      return true
    } catch {
      return false
    }
  }
  let n = 0
  const seen = async (secrets: readonly unknown[], expected: readonly boolean[]): Promise<void> => {
    await until(`signed by ${expected}`, async () => {
      const before = receiver.taken.length
      await app.app.door.append([fact('pay_1', n++)])
      await until('it has come', () => receiver.taken.length > before)
      return secrets.every((one, place) => verifies(one) === expected[place])
    })
  }
  const second = await rotate(3_600)
  await seen([secret, second], [true, true])
  const third = await rotate(0)
  await seen([secret, second, third], [false, false, true])
})

test('attempts show what was sent and answered, and nobody who reads the tables sees either secret or answer', async (t) => {
  const { app, ask } = await openApi(t)
  const answer = { status: 400, headers: { server: 'shop', 'set-cookie': 'session=1' }, body: 'Jane Doe is unknown' }
  const receiver = await startReceiver(t, ({ n }) => (n === 0 ? answer : 204))
  const url = `${receiver.url}/?token=hush`
  const { id, secret } = (await ask('POST', ENDPOINTS, { url, events: ['payment.*'] })).body
  await app.app.door.append([fact('pay_1', 0)])
  await until('it is taken', () => receiver.taken.length === 1)
  await app.settle()
  const { body } = await ask('GET', `${ENDPOINTS}/${id}/attempts?sequence=1`)
  const [second, first] = body.data as Body[]
  assert.deepEqual(
    [second?.outcome, second?.attempt, first?.outcome, first?.reason],
    ['taken', 2, 'failed', 'http_400'],
  )
  assert.deepEqual(first?.response, { status: 400, headers: { server: 'shop' }, body: 'Jane Doe is unknown' })
  const { headers, body: sent } = (first?.request ?? {}) as { headers: Body; body: unknown }
  assert.equal(headers['webhook-signature'], '***')
  assert.deepEqual(sent, JSON.parse(receiver.received[0]?.body ?? ''))
  const stored = await app.rows(
    `select (select string_agg(e::text, '') from webhooks.endpoint e) || (select string_agg(a::text, '') from delivery.attempt a)
       || (select string_agg(r.event, '') from log.record r) as text`,
  )
  const told = new RegExp(`Jane|hush|session|${RegExp.escape(String(secret).slice(6, 20))}`)
  assert.doesNotMatch(String(stored[0]?.text), told)
})

test('a test message goes to the endpoint that asked for it, whatever it subscribed to', async (t) => {
  const { ask } = await openApi(t)
  const [one, other] = [await startReceiver(t), await startReceiver(t)]
  const { id } = (await ask('POST', ENDPOINTS, { url: one.url, events: ['payout.paid'] })).body
  await ask('POST', ENDPOINTS, { url: other.url, events: ['*'] })
  const { body } = await ask('POST', `${ENDPOINTS}/${id}/test`, {})
  await until('it has come', () => one.taken.length === 1)
  assert.equal(one.taken[0]?.headers['webhook-id'], body.event)
  assert.equal(JSON.parse(one.taken[0]?.body ?? '').type, 'webhook.endpoint_tested')
  assert.equal(other.received.length, 0)
})

test('a replay sends everything since a sequence or time again, in order, and the stream is pulled in pages', async (t) => {
  const { app, ask } = await openApi(t)
  const receiver = await startReceiver(t)
  const { id } = (await ask('POST', ENDPOINTS, { url: receiver.url, events: ['payment.*'] })).body
  for (let n = 0; n < 5; n++) await app.app.door.append([fact('pay_1', n)])
  await until('all have come', () => receiver.taken.length === 5)
  const { body: replayed } = await ask('POST', `${ENDPOINTS}/${id}/replay`, { after: 2 })
  assert.deepEqual(replayed, { after: 2, through: 5 })
  await until('the last three came again', () => receiver.taken.length === 8)
  assert.deepEqual(receiver.taken.slice(5).map(sequenceIn), [3, 4, 5])
  const since = new Date(0).toISOString().replace('1970', '2020')
  assert.deepEqual((await ask('POST', `${ENDPOINTS}/${id}/replay`, { since })).body, { after: 0, through: 5 })
  await until('all came again', () => receiver.taken.length === 13)
  const pages: unknown[] = []
  for (let after = 0; ; ) {
    const { body } = await ask('GET', `${ENDPOINTS}/${id}/events?after=${after}&limit=2`)
    pages.push((body.data as Body[]).map(({ sequence }) => sequence))
    after = Number(body.next_after)
    if (!body.has_more) break
  }
  assert.deepEqual(pages, [[1, 2], [3, 4], [5]])
})
