import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issueApiKey } from '#access'
import { type EventSource, openEventSource } from '#harness/event-source'
import { until } from '#harness/until'
import { systemRandom } from '#kernel/random'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

test('a stream tells what happens from now on, as CloudEvents of the public topics', async (t) => {
  const platform = await startTestPlatform(t)
  const before = await paid(platform, 'before')
  const source = await open(t, platform)
  assert.deepEqual([source.status, source.headers['content-type']], [200, 'text/event-stream'])
  const id = await paid(platform, 'after')
  await source.waitFor('its entries are told', () => typesOf(source, id).includes('ledger.entry_posted'))
  const types = typesOf(source, id)
  assert.ok(types.indexOf('payment.created') < types.indexOf('payment.captured'))
  assert.ok(types.indexOf('payment.captured') < types.indexOf('ledger.entry_posted'))
  assert.ok(source.events.every(({ data }) => data.specversion === '1.0' && data.tenant === 'main'))
  assert.ok(!types.includes('payment.requested') && !typesOf(source, before).includes('payment.created'))
})

test('a client that comes back by its last id misses nothing and sees nothing twice', async (t) => {
  const platform = await startTestPlatform(t)
  const whole = await open(t, platform)
  const ids: string[] = []
  const told: { id: unknown; type: unknown; subject: unknown }[] = []
  let lastId: string | undefined
  // Cut off again and again, also in the middle of what is being told.
  for (let round = 0; round < 6; round++) {
    const source = await open(t, platform, lastId === undefined ? {} : { 'last-event-id': lastId })
    if (round === 0) await source.waitFor('the stream has begun', () => source.lastId() !== '')
    ids.push(...(await Promise.all([1, 2, 3].map((n) => asked(platform, `${round}-${n}`)))))
    await source.waitFor('something is told', () => source.events.length > round)
    source.close()
    told.push(...source.events.map(({ data }) => ({ id: data.id, type: data.type, subject: data.subject })))
    lastId = source.events.at(-1)?.id ?? lastId
  }
  const last = await open(t, platform, { 'last-event-id': String(lastId) })
  const all = () => [...told, ...last.events.map(({ data }) => data)]
  const isBooked = (id: string): boolean =>
    all().some((event) => event.subject === id && event.type === 'ledger.entry_posted')
  await last.waitFor('all payments are booked', () => ids.every(isBooked))
  await until('both have heard the same', () => whole.events.length === all().length)
  assert.deepEqual(
    all().map(({ id }) => id),
    whole.events.map(({ data }) => data.id),
  )
  assert.equal(new Set(all().map(({ id }) => id)).size, all().length)
})

test('a stream goes on where a list ended, and the other way round', async (t) => {
  const platform = await startTestPlatform(t)
  const first = await paid(platform, 'first')
  const listed = (await platform.request('GET', '/v1/events?type=payment.*&limit=100')).body
  assert.ok(Array.isArray(listed.data) && listed.data.every(({ subject }) => subject === first))
  const second = await paid(platform, 'second')
  const source = await open(t, platform, {}, `?type=payment.captured,payment.created&cursor=${listed.next_cursor}`)
  await source.waitFor('the second is captured', () => typesOf(source, second).includes('payment.captured'))
  assert.deepEqual(new Set(source.events.map(({ data }) => data.subject)), new Set([second]))
  const third = await paid(platform, 'third')
  const after = await platform.request('GET', `/v1/events?type=payment.captured&cursor=${source.lastId()}`)
  assert.ok(Array.isArray(after.body.data))
  assert.deepEqual(
    new Set([...after.body.data, ...source.events.map(({ data }) => data)].map(({ subject }) => subject)),
    new Set([second, third]),
  )
})

test('nobody hears of another tenant or mode, and ids of others are refused', async (t) => {
  const platform = await startTestPlatform(t)
  const keys = await Promise.all(
    [
      { tenant: 'other', mode: 'test' },
      { tenant: 'main', mode: 'live' },
    ].map((about) => issueApiKey(platform.app.databases.read, systemRandom, about as { tenant: string; mode: 'test' })),
  )
  await platform.app.keys.refresh()
  const own = await open(t, platform)
  const strangers = await Promise.all(keys.map((key) => open(t, platform, { authorization: `Bearer ${key}` })))
  const id = await paid(platform, 'mine')
  await own.waitFor('it is booked', () => typesOf(own, id).includes('ledger.entry_posted'))
  assert.deepEqual(
    strangers.map(({ events }) => events),
    [[], []],
  )
  for (const key of keys) {
    const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream', 'last-event-id': own.lastId() }
    const answer = await platform.request('GET', '/v1/events', { headers })
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [400, 'cursor_invalid', 'Last-Event-ID'])
  }
})

test('what cannot be streamed is refused by name, and a key may hold twenty streams', async (t) => {
  const platform = await startTestPlatform(t)
  const stream = (query: string, headers = {}) =>
    platform.request('GET', `/v1/events${query}`, { headers: { accept: 'text/event-stream', ...headers } })
  const unknown = await stream('?type=payment.paid')
  assert.deepEqual([unknown.status, unknown.body.field], [400, 'type'])
  assert.match(String(unknown.body.detail), /payment\.captured/)
  assert.equal((await stream('', { 'last-event-id': 'nonsense' })).body.field, 'Last-Event-ID')
  const sources = await Promise.all(Array.from({ length: 20 }, () => open(t, platform)))
  const refused = await stream('')
  assert.deepEqual([refused.status, refused.body.code], [429, 'streams_too_many'])
  sources[0]?.close()
  await until('there is room again', async () => {
    const source = await open(t, platform)
    return source.status === 200
  })
})

test('a stopping platform ends its streams and waits for none', async (t) => {
  const platform = await startTestPlatform(t)
  const source = await open(t, platform)
  await platform.stop()
  await source.waitFor('the stream has ended', () => !source.isOpen())
})

function open(
  t: { after(work: () => void): void },
  platform: TestPlatform,
  headers: Record<string, string> = {},
  query = '',
): Promise<EventSource> {
  return openEventSource(t, `${platform.url}/v1/events${query}`, {
    authorization: `Bearer ${platform.apiKey}`,
    ...headers,
  })
}

async function asked(platform: TestPlatform, key: string): Promise<string> {
  return String((await platform.pay(order, key)).body.id)
}

async function paid(platform: TestPlatform, key: string): Promise<string> {
  const id = await asked(platform, key)
  await platform.paymentThatIs('captured', id)
  return id
}

function typesOf({ events }: EventSource, subject: string): unknown[] {
  return events.filter(({ data }) => data.subject === subject).map(({ data }) => data.type)
}
