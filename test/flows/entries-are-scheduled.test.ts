import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '#harness/until'
import { type Answer, startTestPlatform, type TestPlatform, type TestSettings } from './platform.ts'

const EUR = 'EUR'

test('what is scheduled is booked when it is due, as of then, and once', async (t) => {
  const { ask, platform } = await openWallet(t)
  const at = soon(400)
  const rent = { id: 'rent-1', purpose: 'rent', transfers: [outOf('wallet:ada', 300)], scheduled_for: at }
  const placed = await ask('POST', '/v1/ledger/entries', rent)
  assert.deepEqual(
    [placed.status, placed.body],
    [202, { id: 'rent-1', entry: null, source: null, repeated: false, schedule: 'scheduled' }],
  )
  const again = await ask('POST', '/v1/ledger/entries', rent)
  assert.deepEqual([again.status, again.body.repeated], [200, true])
  const waiting = (await ask('GET', '/v1/ledger/scheduled-entries/rent-1')).body
  assert.deepEqual(
    [waiting.state, waiting.scheduled_for, waiting.entry, waiting.transfers],
    ['scheduled', at, null, [{ ...outOf('wallet:ada', 300), amount: '300', sweep: false }]],
  )

  const booked = await thatIs(platform, 'booked', 'rent-1')
  const repeated = await ask('POST', '/v1/ledger/entries', rent)
  assert.deepEqual(
    [repeated.status, repeated.body],
    [200, { id: 'rent-1', entry: booked.entry, source: 'entry/rent-1', repeated: true, schedule: 'booked' }],
  )
  const path = '/v1/accounts/wallet:ada/statement?currency=EUR'
  await until('the statement shows it', async () => lines(await ask('GET', path)).length === 2)
  const line = lines(await ask('GET', path)).find(({ source }) => source === 'entry/rent-1')
  assert.deepEqual([line?.effective_at, line?.debit], [at, '300'])
  const types = await eventsOf(platform, 'entry/rent-1')
  assert.deepEqual(types, ['ledger.entry_scheduled', 'ledger.entry_posted', 'ledger.schedule_ended'])
})

test('what cannot be booked when it is due is refused, with the reason, for good', async (t) => {
  const { ask, platform } = await openWallet(t)
  const big = { id: 'big', transfers: [outOf('wallet:ada', 501)], scheduled_for: soon(400) }
  assert.equal((await ask('POST', '/v1/ledger/entries', big)).status, 202)
  const refused = await thatIs(platform, 'refused', 'big')
  const reason = { code: 'insufficient_funds', account: 'wallet:ada', currency: EUR, available: '500', needed: '501' }
  assert.deepEqual([refused.refusal, refused.entry], [reason, null])
  const again = await ask('POST', '/v1/ledger/entries', big)
  assert.deepEqual([again.status, again.body.schedule, again.body.entry], [200, 'refused', null])
  const list = (await ask('GET', '/v1/ledger/scheduled-entries?state=refused')).body
  assert.deepEqual(list.data, [refused])
  const [told] = await platform.app.databases.read.query<{ refusal: unknown }>({
    name: 'test.refusal',
    text: `select data -> 'refusal' as refusal from log.event where type = 'ledger.schedule_ended'`,
  })
  assert.deepEqual(told?.refusal, reason)
})

test('what is scheduled is taken back, and then is never booked', async (t) => {
  const { ask, platform } = await openWallet(t)
  const entry = (id: string, ms: number) => ({ id, transfers: [outOf('wallet:ada', 1)], scheduled_for: soon(ms) })
  await ask('POST', '/v1/ledger/entries', entry('e-1', 700))
  await ask('POST', '/v1/ledger/entries', entry('e-2', 800))
  const canceled = await ask('POST', '/v1/ledger/scheduled-entries/e-1/cancel')
  assert.deepEqual([canceled.status, canceled.body.state], [200, 'canceled'])
  assert.equal((await ask('POST', '/v1/ledger/scheduled-entries/e-1/cancel')).status, 200)
  await thatIs(platform, 'booked', 'e-2')
  assert.equal((await ask('GET', '/v1/ledger/scheduled-entries/e-1')).body.state, 'canceled')
  const late = await ask('POST', '/v1/ledger/scheduled-entries/e-2/cancel')
  assert.deepEqual([late.status, late.body.code, late.body.state], [409, 'schedule_ended', 'booked'])
  const nothing = await ask('POST', '/v1/ledger/scheduled-entries/nothing/cancel')
  assert.deepEqual([nothing.status, nothing.body.code], [404, 'schedule_not_found'])
  assert.deepEqual(await eventsOf(platform, 'entry/e-1'), ['ledger.entry_scheduled', 'ledger.schedule_ended'])
})

test('the id of what is scheduled belongs to it alone, whatever becomes of it', async (t) => {
  const { ask } = await openWallet(t)
  const now = { id: 'x', transfers: [outOf('wallet:ada', 1)] }
  const later = { ...now, scheduled_for: soon(3_600_000) }
  assert.equal((await ask('POST', '/v1/ledger/entries', later)).status, 202)
  for (const other of [now, { ...later, purpose: 'other' }, { id: 'x', reverses: 'entry/in' }]) {
    const refused = await ask('POST', '/v1/ledger/entries', other)
    assert.deepEqual([refused.status, refused.body.code], [409, 'id_reused'])
  }
  await ask('POST', '/v1/ledger/holds', { id: 'h', ...outOf('wallet:ada', 5) })
  assert.equal((await ask('POST', '/v1/ledger/holds/h/post', { id: 'x' })).body.code, 'id_reused')
  await ask('POST', '/v1/ledger/scheduled-entries/x/cancel')
  assert.equal((await ask('POST', '/v1/ledger/entries', now)).body.code, 'id_reused')
  const dry = await ask('POST', '/v1/ledger/entries?dry_run=true', { ...later, id: 'y' })
  assert.deepEqual([dry.status, dry.body.repeated], [200, false])
  const short = { ...later, id: 'z', transfers: [outOf('wallet:ada', 501)] }
  assert.equal((await ask('POST', '/v1/ledger/entries?dry_run=true', short)).body.code, 'insufficient_funds')
  assert.equal((await ask('GET', '/v1/ledger/scheduled-entries/y')).status, 404)
})

test('what can never be booked is refused at once', async (t) => {
  const { ask } = await openWallet(t)
  const entry = { id: 'x', transfers: [outOf('wallet:ada', 1)] }
  const cases: [body: object, status: number, code: string, field?: string][] = [
    [{ ...entry, scheduled_for: '2020-01-01T00:00:00Z' }, 422, 'schedule_passed'],
    [{ ...entry, scheduled_for: 'tomorrow' }, 400, 'body_invalid', 'scheduled_for'],
    [{ ...entry, scheduled_for: soon(9_000), effective_at: soon(0) }, 400, 'body_invalid', 'effective_at'],
    [
      { id: 'x', postings: [{ account: 'cash', amount: 5, currency: EUR }], scheduled_for: soon(9_000) },
      422,
      'unbalanced',
    ],
  ]
  for (const [body, status, code, field] of cases) {
    const answer = await ask('POST', '/v1/ledger/entries', body)
    assert.deepEqual([answer.status, answer.body.code, answer.body.field], [status, code, field], JSON.stringify(body))
  }
})

test('many are scheduled at once, all or none, and listed the soonest first', async (t) => {
  const { ask } = await openWallet(t)
  const hour = 3_600_000
  const begin = Date.now() + hour
  const at = (n: number) => new Date(begin + ((n * 7) % 10) * hour).toISOString()
  const entry = (n: number) => ({ id: `e-${n}`, transfers: [outOf('wallet:ada', 1)], scheduled_for: at(n) })
  const entries = Array.from({ length: 10 }, (_, n) => entry(n))
  const spoiled = [...entries, { ...entry(10), scheduled_for: '2020-01-01T00:00:00Z' }]
  const atomic = (await ask('POST', '/v1/ledger/entries/bulk', { entries: spoiled, atomic: true })).body
  assert.ok(Object(atomic.results).every((result: { status: string }) => result.status === 'refused'))
  const none = await ask('GET', '/v1/ledger/scheduled-entries')
  assert.deepEqual([none.status, none.body], [200, { data: [], has_more: false, next_cursor: null }])
  await ask('POST', '/v1/ledger/entries/bulk', { entries, atomic: true })
  const seen: { id: string; scheduled_for: string }[] = []
  for (let cursor = ''; ; ) {
    const page = (await ask('GET', `/v1/ledger/scheduled-entries?limit=3${cursor}`)).body
    seen.push(...Object(page.data))
    if (page.next_cursor === null) break
    cursor = `&cursor=${page.next_cursor}`
  }
  assert.deepEqual(
    seen.map(({ scheduled_for }) => scheduled_for),
    Array.from({ length: 10 }, (_, n) => new Date(begin + n * hour).toISOString()),
  )
})

test('what a template makes is scheduled as it is made now, and undone when that is due', async (t) => {
  const transfers = [{ debit: 'wallet:{who}', credit: 'cash', amount: '{amount}', currency: EUR }]
  const rent = { version: 3, parameters: { who: 'word', amount: 'amount' }, transfers } as const
  const { ask, platform } = await openWallet(t, { ledger: { charts: {}, templates: { rent } } })
  const made = { template: 'rent', parameters: { who: 'ada', amount: 300 }, scheduled_for: soon(300) }
  assert.equal((await ask('POST', '/v1/ledger/entries', { id: 'rent-1', ...made })).status, 202)
  const undo = { id: 'undo', reverses: 'entry/rent-1', scheduled_for: soon(900) }
  assert.equal((await ask('POST', '/v1/ledger/entries', undo)).status, 202)
  await thatIs(platform, 'booked', 'rent-1')
  const { template, purpose, postings } = (await ask('GET', '/v1/ledger/entries/rent-1')).body
  assert.deepEqual([template, purpose, Object(postings).length], [{ name: 'rent', version: 3 }, 'rent', 2])
  const undone = await thatIs(platform, 'booked', 'undo')
  assert.deepEqual([undone.purpose, undone.reverses, undone.postings], ['reversal', 'entry/rent-1', []])
  assert.equal((await ask('GET', '/v1/ledger/entries/rent-1')).body.reversed_by, 'entry/undo')
})

async function openWallet(t: TestContext, settings: TestSettings = {}) {
  const platform = await startTestPlatform(t, settings)
  const ask = (method: string, path: string, body?: object): Promise<Answer> =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'wallet:ada', type: 'liability', floor: 0 })
  const topup = { debit: 'cash', credit: 'wallet:ada', amount: 500, currency: EUR }
  await ask('POST', '/v1/ledger/entries', { id: 'in', transfers: [topup] })
  return { platform, ask }
}

function outOf(account: string, amount: number) {
  return { debit: account, credit: 'cash', amount, currency: EUR }
}

function soon(ms: number): string {
  return new Date(Date.now() + ms).toISOString()
}

async function thatIs(platform: TestPlatform, state: string, id: string) {
  const read = async () => (await platform.request('GET', `/v1/ledger/scheduled-entries/${id}`)).body
  await until(`${id} is ${state}`, async () => (await read()).state === state)
  return read()
}

function lines({ body }: Answer): { source: string; effective_at: string; debit: string }[] {
  return Object(body.data)
}

async function eventsOf({ app }: TestPlatform, key: string): Promise<string[]> {
  const rows = await app.databases.read.query<{ type: string }>(
    {
      name: 'test.events_of',
      text: `select type from log.event where topic = 'ledger' and key = $1 order by position, "offset"`,
    },
    [key],
  )
  return rows.map(({ type }) => type)
}
