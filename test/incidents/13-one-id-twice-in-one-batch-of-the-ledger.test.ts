import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { type HttpUnderTest, openHttp } from '#harness/http-server'

// The accident, in a ledger: one idempotency key twice in a batch crashed the batch with a unique violation; or, with other
// content, was accepted without a word. Here one id comes twice in one bulk request, in requests that share a transaction,
// and at two processes at once: as it was, and as something else.

const EUR = 'EUR'

test('one id twice in one bulk is one entry; as something else it is refused, and the rest is booked', async (t) => {
  const { ask, rows } = await openLedger(t)
  const entries = [
    out('same', 5),
    out('before', 1),
    out('same', 5),
    out('same', 6),
    { ...out('same', 5), purpose: 'fee' },
    out('after', 1),
  ]
  const { status, body } = await ask('/v1/ledger/entries/bulk', { entries })
  assert.equal(status, 200)
  assert.deepEqual(shortOf(body), [
    ['same', 'done', false],
    ['before', 'done', false],
    ['same', 'done', true],
    ['same', 'id_reused', undefined],
    ['same', 'id_reused', undefined],
    ['after', 'done', false],
  ])
  assert.deepEqual(await booked(rows), ['entry/after', 'entry/before', 'entry/in', 'entry/same'])
})

test('an atomic bulk with one id as two things books nothing, and with one id twice books it once', async (t) => {
  const { ask, rows } = await openLedger(t)
  const torn = await ask('/v1/ledger/entries/bulk', { entries: [out('a', 5), out('b', 1), out('a', 6)], atomic: true })
  assert.deepEqual(shortOf(torn.body), [
    ['a', 'linked_refused', undefined],
    ['b', 'linked_refused', undefined],
    ['a', 'id_reused', undefined],
  ])
  assert.deepEqual(await booked(rows), ['entry/in'])
  const whole = await ask('/v1/ledger/entries/bulk', { entries: [out('a', 5), out('a', 5)], atomic: true })
  assert.deepEqual(shortOf(whole.body), [
    ['a', 'done', false],
    ['a', 'done', true],
  ])
  assert.deepEqual(await booked(rows), ['entry/a', 'entry/in'])
})

test('one id in requests of one moment, at two processes, has one outcome', async (t) => {
  const { ask, other, rows } = await openLedger(t)
  const asks = [ask, other]
  for (let round = 0; round < 6; round++) {
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) => {
        const post = asks[n % 2] ?? ask
        return post('/v1/ledger/entries', out(`r-${round}`, n % 3 === 2 ? 2 : 1))
      }),
    )
    const counts = Object.fromEntries(
      [...Map.groupBy(answers, ({ status }) => status)].map(([status, same]) => [status, same.length]),
    )
    // Whichever was first, eight or sixteen were of the other kind.
    assert.equal(counts[201], 1)
    const others = counts[409] ?? 0
    assert.ok(others === 8 || others === 16, JSON.stringify(counts))
    assert.equal(counts[200], 23 - others)
    for (const { status, body } of answers) if (status === 409) assert.equal(body.code, 'id_reused')
  }
  assert.equal((await booked(rows)).length, 7)
})

test('one id of a hold, of its posting and of an entry twice in one moment is one of each', async (t) => {
  const { ask, other } = await openLedger(t)
  const hold = { id: 'h', debit: 'wallet', credit: 'cash', amount: 10, currency: EUR }
  const placed = await Promise.all([ask, other, ask].map((post) => post('/v1/ledger/holds', hold)))
  assert.deepEqual(placed.map(({ status }) => status).sort(), [200, 200, 201])
  assert.equal((await ask('/v1/ledger/holds', { ...hold, amount: 11 })).body.code, 'id_reused')
  await ask('/v1/ledger/entries', out('taken', 1))
  assert.equal((await ask('/v1/ledger/holds/h/post', { id: 'taken' })).body.code, 'id_reused')
  const posts = await Promise.all([ask, other, ask, other].map((post) => post('/v1/ledger/holds/h/post', { id: 'p' })))
  assert.deepEqual(posts.map(({ status }) => status).sort(), [200, 200, 200, 201])
  assert.equal((await ask('/v1/ledger/entries', out('p', 10))).body.code, 'id_reused')
  assert.equal((await ask('/v1/ledger/holds/h/post', { id: 'q' })).body.code, 'hold_ended')
})

test('one id scheduled twice in one moment is one schedule, and at that moment as an entry has one owner', async (t) => {
  const { ask, other, rows } = await openLedger(t)
  const later = { ...out('s', 5), scheduled_for: new Date(Date.now() + 3_600_000).toISOString() }
  const answers = await Promise.all([ask, other, ask, other].map((post) => post('/v1/ledger/entries', later)))
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 202])
  const { body } = await ask('/v1/ledger/entries/bulk', {
    entries: [{ ...later, id: 'x' }, out('x', 5), out('y', 5), { ...later, id: 'y' }],
  })
  assert.deepEqual(shortOf(body), [
    ['x', 'done', false],
    ['x', 'id_reused', undefined],
    ['y', 'done', false],
    ['y', 'id_reused', undefined],
  ])
  assert.deepEqual(await booked(rows), ['entry/in', 'entry/y'])
})

type Answer = { status: number; body: { readonly [name: string]: unknown } }
type Ask = (path: string, body: object) => Promise<Answer>

async function openLedger(t: TestContext): Promise<{ ask: Ask; other: Ask; rows: AppUnderTest['rows'] }> {
  const app = await openApp(t)
  const second = await openApp(t, { url: app.url, process: 'other' })
  const [one, two] = [await openHttp(t, app), await openHttp(t, second)]
  const apiKey = await one.apiKey('main', 'test')
  await second.app.keys.refresh()
  const ask = asking(one, apiKey)
  await ask('/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('/v1/accounts', { id: 'wallet', type: 'liability', floor: 0 })
  await ask('/v1/ledger/entries', {
    id: 'in',
    transfers: [{ debit: 'cash', credit: 'wallet', amount: 1_000, currency: EUR }],
  })
  return { ask, other: asking(two, apiKey), rows: app.rows }
}

function asking({ url }: HttpUnderTest, apiKey: string): Ask {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  return async (path, body) => {
    const answer = await fetch(new URL(path, url), { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: answer.status, body: Object(await answer.json()) }
  }
}

function out(id: string, amount: number) {
  return { id, transfers: [{ debit: 'wallet', credit: 'cash', amount, currency: EUR }] }
}

function shortOf({ results }: Answer['body']): unknown[][] {
  const all: { id: string; status: string; repeated?: boolean; refusal?: { code: string } }[] = Object(results)
  return all.map(({ id, status, repeated, refusal }) => [id, refusal?.code ?? status, repeated])
}

async function booked(rows: AppUnderTest['rows']): Promise<string[]> {
  return (await rows<{ source: string }>('select source from ledger.entry order by source')).map(({ source }) => source)
}
