import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '#harness/until'
import { type Answer, type Body, order, startTestPlatform } from './platform.ts'

const EUR = 'EUR'
const USD = 'USD'

test('an entry is read at once by its id and its source, and soon by its own', async (t) => {
  const { ask } = await openBooks(t)
  const { id, entry, source } = (await book(ask, 'e-1', { amount: 30, purpose: 'sale' })).body
  const read = await ask('GET', '/v1/ledger/entries/e-1')
  const { effective_at, booked_at, ...rest } = read.body
  assert.deepEqual(
    [read.status, rest],
    [
      200,
      {
        id,
        entry,
        source,
        purpose: 'sale',
        postings: [
          { account: 'cash', amount: '30', currency: EUR },
          { account: 'sales', amount: '-30', currency: EUR },
        ],
        hold: null,
        reverses: null,
        reversed_by: null,
      },
    ],
  )
  assert.ok(String(effective_at) <= String(booked_at))
  assert.deepEqual((await ask('GET', '/v1/ledger/entries/entry%2Fe-1')).body, read.body)
  await until('it is filed', async () => (await ask('GET', `/v1/ledger/entries/${entry}`)).status === 200)
  assert.deepEqual((await ask('GET', `/v1/ledger/entries/${entry}`)).body, read.body)

  await ask('POST', '/v1/ledger/entries', { id: 'undo', reverses: 'entry/e-1' })
  assert.equal((await ask('GET', '/v1/ledger/entries/e-1')).body.reversed_by, 'entry/undo')
  assert.equal((await ask('GET', '/v1/ledger/entries/undo')).body.reverses, 'entry/e-1')
  for (const name of ['e-2', 'ent_00000000000000000000000000000000', 'entry%2Fe-2']) {
    const missing = await ask('GET', `/v1/ledger/entries/${name}`)
    assert.deepEqual([missing.status, missing.body.code], [404, 'entry_not_found'], name)
  }
})

test('what payments have booked is found by its payment', async (t) => {
  const { ask, platform } = await openBooks(t)
  const { id } = (await platform.pay(order)).body
  await platform.paymentThatIs('captured', id)
  await until('it is filed', async () => (await found(ask, `payment=${id}`)).length >= 2)
  const entries = await found(ask, `payment=${id}`)
  assert.deepEqual(new Set(entries.map(({ purpose }) => purpose)), new Set(['capture', 'fee']))
  assert.deepEqual(
    await found(ask, `payment=${id}&purpose=capture`),
    entries.filter(({ purpose }) => purpose === 'capture'),
  )
  assert.deepEqual(await found(ask, `account=merchant:mer_books:payable&payment=${id}&purpose=fee`), [])
  const [first] = entries
  assert.equal(first?.id, null)
  const read = await ask('GET', `/v1/ledger/entries/${encodeURIComponent(String(first?.source))}`)
  assert.deepEqual(read.body, first)
})

test('a search by anything finds what a look at every entry would, page by page, each once', async (t) => {
  const { ask } = await openBooks(t)
  const day = (n: number) => `2026-03-${String(n + 1).padStart(2, '0')}T12:00:00.000Z`
  for (let n = 0; n < 24; n++) {
    const about = { currency: n % 3 ? EUR : USD, purpose: n % 4 ? 'sale' : 'topup', effective_at: day(n % 12) }
    await book(ask, `e-${String(n).padStart(2, '0')}`, { amount: n + 1, to: n % 5 ? 'sales' : 'tips', ...about })
  }
  await until('all are filed', async () => (await found(ask, 'limit=100')).length === 24)
  const all = await found(ask, 'limit=100')
  const newestFirst = all.toSorted((one, other) => (place(one) < place(other) ? 1 : -1))
  assert.deepEqual(all, newestFirst)

  const posts = (test: (posting: { account: string; amount: string; currency: string }) => boolean) => (entry: Entry) =>
    entry.postings.some(test)
  const cases: [query: string, fits: (entry: Entry) => boolean][] = [
    ['account=tips', posts(({ account }) => account === 'tips')],
    ['account=cash&currency=USD', posts(({ currency }) => currency === USD)],
    ['account=nobody', () => false],
    ['currency=USD', posts(({ currency }) => currency === USD)],
    ['purpose=topup', ({ purpose }) => purpose === 'topup'],
    ['purpose=topup&account=tips', (e) => e.purpose === 'topup' && posts(({ account }) => account === 'tips')(e)],
    ['source=entry/e-07', ({ source }) => source === 'entry/e-07'],
    ['source=entry/e-07&account=tips', () => false],
    [
      'currency=EUR&amount_min=5&amount_max=9',
      posts(({ amount, currency }) => currency === EUR && between(amount, 5, 9)),
    ],
    [
      'account=tips&currency=EUR&amount_min=10',
      posts((p) => p.account === 'tips' && p.currency === EUR && between(p.amount, 10, 99)),
    ],
    [
      `effective_after=${day(3)}&effective_before=${day(6)}`,
      (e) => e.effective_at >= day(3) && e.effective_at < day(6),
    ],
    [
      `account=cash&effective_after=${day(3)}&effective_before=${day(6)}`,
      (e) => e.effective_at >= day(3) && e.effective_at < day(6),
    ],
    [`booked_after=${all[5]?.booked_at}`, (e) => e.booked_at >= String(all[5]?.booked_at)],
    [`account=cash&booked_before=${all[5]?.booked_at}`, (e) => e.booked_at < String(all[5]?.booked_at)],
  ]
  for (const [query, fits] of cases) {
    const expected = newestFirst.filter(fits).map(({ source }) => source)
    assert.deepEqual(early(await found(ask, `${query}&limit=100`)), expected, query)
    const pages: string[] = []
    let cursor = ''
    for (let n = 0; n < 30; n++) {
      const page = await search(ask, `${query}&limit=2${cursor}`)
      pages.push(...early(entriesOf(page)))
      // What is booked in between stands before the place that was reached: it disturbs nothing.
      if (n === 1) await book(ask, `late-${query.length}`, { amount: 1 })
      if (page.next_cursor === null) break
      cursor = `&cursor=${page.next_cursor}`
    }
    assert.deepEqual(pages, expected, `${query} by pages`)
  }
})

test('what is asked for wrongly is named, and a cursor is good for its own search alone', async (t) => {
  const { ask } = await openBooks(t)
  for (let n = 0; n < 3; n++) await book(ask, `e-${n}`, { amount: 1 })
  await until('all are filed', async () => (await found(ask, '')).length === 3)
  const { next_cursor } = await search(ask, 'account=cash&limit=1')
  const cases: [query: string, code: string, field: string][] = [
    [`account=sales&limit=1&cursor=${next_cursor}`, 'cursor_invalid', 'cursor'],
    ['amount_min=5', 'parameter_invalid', 'amount_min'],
    ['amount_max=5', 'parameter_invalid', 'amount_max'],
    ['currency=EUR&amount_max=5.5', 'parameter_invalid', 'amount_max'],
    ['booked_after=yesterday', 'parameter_invalid', 'booked_after'],
    ['accounts=cash', 'parameter_invalid', 'accounts'],
    ['account=Cash!', 'parameter_invalid', 'account'],
  ]
  for (const [query, code, field] of cases) {
    const { status, body } = await ask('GET', `/v1/ledger/entries?${query}`)
    assert.deepEqual([status, body.code, body.field], [400, code, field], query)
  }
})

test('holds are read at once, and listed by account, the newest first', async (t) => {
  const { ask } = await openBooks(t)
  await ask('POST', '/v1/accounts', { id: 'wallet:ada', type: 'liability' })
  const hold = (id: string, amount: number, more: object = {}) =>
    ask('POST', '/v1/ledger/holds', { id, debit: 'wallet:ada', credit: 'sales', amount, currency: EUR, ...more })
  for (let n = 0; n < 5; n++) await hold(`h-${n}`, n + 1)
  await ask('POST', '/v1/ledger/holds', { id: 'in', debit: 'cash', credit: 'wallet:ada', amount: 9, currency: EUR })
  await ask('POST', '/v1/ledger/holds/h-1/post', { id: 'p-1', amount: 1 })
  await ask('POST', '/v1/ledger/holds/h-3/void', { id: 'v-3' })
  const posted = (await ask('GET', '/v1/ledger/holds/h-1')).body
  assert.deepEqual([posted.state, posted.amount, posted.source, posted.expires_at], ['posted', '2', 'entry/p-1', null])
  assert.equal((await ask('GET', '/v1/ledger/entries/p-1')).body.hold, 'h-1')
  assert.equal((await ask('GET', '/v1/ledger/holds/h-9')).body.code, 'hold_not_found')
  const ids = async (query: string): Promise<string[]> => {
    const seen: string[] = []
    for (let cursor = ''; ; ) {
      const { body } = await ask('GET', `/v1/accounts/wallet:ada/holds?limit=2${query}${cursor}`)
      seen.push(...Object(body.data).map(({ id }: { id: string }) => id))
      if (body.next_cursor === null) return seen
      cursor = `&cursor=${body.next_cursor}`
    }
  }
  assert.deepEqual(await ids(''), ['in', 'h-4', 'h-3', 'h-2', 'h-1', 'h-0'])
  assert.deepEqual(await ids('&state=held'), ['in', 'h-4', 'h-2', 'h-0'])
  assert.deepEqual(Object((await ask('GET', '/v1/accounts/sales/holds?state=held')).body.data).length, 3)
})

type Ask = (method: string, path: string, body?: object) => Promise<Answer>
type Entry = {
  readonly id: string | null
  readonly source: string
  readonly purpose: string
  readonly effective_at: string
  readonly booked_at: string
  readonly postings: readonly { account: string; amount: string; currency: string }[]
}

async function openBooks(t: TestContext) {
  const platform = await startTestPlatform(t)
  const ask: Ask = (method, path, body) =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  for (const id of ['sales', 'tips', 'other']) await ask('POST', '/v1/accounts', { id, type: 'income' })
  return { platform, ask }
}

type Booking = { amount: number; to?: string; currency?: string; purpose?: string; effective_at?: string }
function book(ask: Ask, id: string, { amount, to = 'sales', currency = EUR, ...more }: Booking): Promise<Answer> {
  return ask('POST', '/v1/ledger/entries', {
    id,
    transfers: [{ debit: 'cash', credit: to, amount, currency }],
    ...more,
  })
}

async function search(ask: Ask, query: string): Promise<Body> {
  const { status, body } = await ask('GET', `/v1/ledger/entries?${query}`)
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

async function found(ask: Ask, query: string): Promise<Entry[]> {
  return entriesOf(await search(ask, query))
}

function entriesOf({ data }: Body): Entry[] {
  return Object(data)
}

function place({ effective_at, source }: Entry): string {
  return `${effective_at} ${source}`
}

function between(amount: string, least: number, most: number): boolean {
  const size = Math.abs(Number(amount))
  return size >= least && size <= most
}

function early(entries: readonly Entry[]): string[] {
  return entries.map(({ source }) => source).filter((source) => !source.startsWith('entry/late-'))
}
