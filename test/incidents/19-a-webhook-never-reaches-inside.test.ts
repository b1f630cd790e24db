import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { asked, fact, openWebhooks, whose } from '#harness/webhooks'
import { systemClock } from '#kernel/clock'
import { FetchFailure, systemFetch } from '#kernel/fetch'
import { createAddressGuard, type Resolve } from '#kernel/ssrf'

// The accident: whoever may name a webhook's address may have the server call what only it can reach: itself, its
// network, the metadata service of its cloud; by a redirect, or by a name that leads elsewhere once it was checked.

const isRefused = (error: unknown): boolean =>
  error instanceof FetchFailure && error.reason === 'address_refused' && error.phase === 'connect'

test('a private address is refused when it is written down, by name of the field', async (t) => {
  const app = await openApp(t)
  for (const url of [
    'http://127.0.0.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.8:8080/',
    'ftp://example.com/',
    'https://user:secret@example.com/',
    'nothing',
  ]) {
    const refused = app.app.endpoints.create(whose, { url, events: ['*'] }, asked)
    await assert.rejects(refused, { code: 'webhook_url_refused', field: 'url' }, url)
  }
})

test('live mode takes https alone', async (t) => {
  const app = await openApp(t)
  const live = { tenant: 'main', mode: 'live' } as const
  const settings = { url: 'http://example.com/', events: ['*'] }
  await assert.rejects(app.app.endpoints.create(live, settings, asked), { code: 'webhook_url_refused' })
})

test('a name that leads inside is refused at connect time, before a byte is sent', async (t) => {
  const receiver = await startReceiver(t)
  const { port } = new URL(receiver.url)
  for (const address of ['127.0.0.1', '::1', '169.254.169.254', '::ffff:127.0.0.1']) {
    const resolve: Resolve = (_, answer) => answer(null, [{ address, family: address.includes(':') ? 6 : 4 }])
    const { fetch, close } = systemFetch(systemClock, createAddressGuard([], resolve))
    t.after(close)
    const request = { method: 'POST', url: `http://inside.example:${port}/`, headers: {}, body: '{}', timeoutMs: 5_000 }
    await assert.rejects(fetch(request), isRefused, address)
  }
  assert.equal(receiver.received.length, 0)
})

/** It is asked once for each connection, and what it said is what is connected to: there is no second look to lie to. */
test('a name that changes its mind after the check is connected to where the check looked', async (t) => {
  const receiver = await startReceiver(t)
  const { port } = new URL(receiver.url)
  let looks = 0
  const resolve: Resolve = (_, answer) =>
    answer(null, [{ address: ++looks === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }])
  const { fetch, close } = systemFetch(systemClock, createAddressGuard([], resolve))
  t.after(close)
  const request = {
    method: 'POST',
    url: `http://rebinding.example:${port}/`,
    headers: {},
    body: '{}',
    timeoutMs: 5_000,
  }
  await assert.rejects(fetch(request), isRefused)
  await assert.rejects(fetch(request), isRefused)
  assert.equal(looks, 2)
  assert.equal(receiver.received.length, 0)
})

test('a redirect to the metadata service is a failure, and is not followed', async (t) => {
  const location = 'http://169.254.169.254/latest/meta-data/'
  const receiver = await startReceiver(t, () => ({ status: 302, headers: { location } }))
  const inside = await startReceiver(t)
  const redirecting = await startReceiver(t, () => ({ status: 307, headers: { location: inside.url } }))
  const app = await openWebhooks(t)
  await app.start()
  const { endpoints, door } = app.app
  const { id } = await endpoints.create(whose, { url: receiver.url, events: ['payment.*'] }, asked)
  await endpoints.create(whose, { url: redirecting.url, events: ['payment.*'] }, asked)
  await door.append([fact('pay_1', 0)])
  await until('both were tried', () => receiver.received.length > 0 && redirecting.received.length > 0)
  const attempts = async () => (await endpoints.attempts({ ...whose, id }, { limit: 10 })).data
  await until('it is on record', async () => (await attempts()).length > 0)
  const [first] = (await attempts()).slice(-1)
  assert.deepEqual([first?.outcome, first?.reason, first?.response?.status], ['failed', 'redirect', 302])
  assert.equal(inside.received.length, 0)
})

test('without a network handed to it, an app calls nobody', async (t) => {
  const receiver = await startReceiver(t)
  const app = await openApp(t, { webhooks: { guard: createAddressGuard(['127.0.0.1']) } })
  await app.start()
  const { id } = await app.app.endpoints.create(whose, { url: receiver.url, events: ['*'] }, asked)
  await app.app.door.append([fact('pay_1', 0)])
  const attempts = async () => (await app.app.endpoints.attempts({ ...whose, id }, { limit: 10 })).data
  await until('it was tried', async () => (await attempts()).length > 0)
  assert.equal((await attempts())[0]?.reason, 'address_refused')
  assert.equal(receiver.received.length, 0)
})
