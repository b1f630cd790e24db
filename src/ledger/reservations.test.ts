import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AppUnderTest } from '#harness/app'
import { budgetLeft, COST, cause, ofBudget, openBudget, openSpenders, whose } from '#harness/spender'
import { until } from '#harness/until'

test('what is reserved counts at once, is posted in part or let go, and each of it once', async (t) => {
  const { app, port } = await openBudget(t, 100n)
  const first = { ...ofBudget('a', 60n), expiresAt: Date.now() + 60_000 }
  assert.deepEqual(await port.reserve(first), { status: 'done', hold: 'toy/a', entry: undefined, isRepeated: false })
  // Later, as whoever asks again asks later.
  const again = await port.reserve({ ...first, expiresAt: first.expiresAt + 5_000 })
  assert.deepEqual(again, { status: 'done', hold: 'toy/a', entry: undefined, isRepeated: true })
  const short = { code: 'insufficient_funds', account: 'budget', currency: 'EUR', available: 40n, needed: 41n }
  assert.deepEqual(await port.reserve(ofBudget('b', 41n)), { status: 'refused', refusal: short })
  const reused = { status: 'refused', refusal: { code: 'id_reused', id: 'toy/a' } }
  assert.deepEqual(await port.reserve({ ...first, amount: 61n }), reused)

  const posted = await port.post({ ...whose, cause, key: 'a', amount: 50n })
  assert.equal(posted.status, 'done')
  const repeated = await port.post({ ...whose, cause, key: 'a', amount: 50n })
  assert.deepEqual(repeated, { ...posted, isRepeated: true })
  assert.equal((await port.post({ ...whose, cause, key: 'a', amount: 49n })).status, 'refused')
  const ended = { status: 'refused', refusal: { code: 'hold_ended', id: 'toy/a', state: 'posted' } }
  assert.deepEqual(await port.void({ ...whose, cause, key: 'a' }), ended)

  assert.equal((await port.reserve(ofBudget('b', 50n))).status, 'done')
  assert.equal((await port.void({ ...whose, cause, key: 'b' })).status, 'done')
  assert.equal((await port.void({ ...whose, cause, key: 'b' })).status, 'done')
  assert.equal((await port.void({ ...whose, cause, key: 'c' })).status, 'refused')
  assert.deepEqual(await told(app), [
    ['toy/a', 'ledger.hold_placed', null],
    ['toy/a', 'ledger.hold_ended', 'posted'],
    ['toy/b', 'ledger.hold_placed', null],
    ['toy/b', 'ledger.hold_ended', 'voided'],
  ])
  assert.deepEqual(await budgetLeft(app), { posted: '-50', held: '0' })
})

test('two modules, and callers of the API, never mean the same hold', async (t) => {
  const { app, port } = await openBudget(t, 100n)
  await port.reserve(ofBudget('a', 1n))
  const other = app.app.ledger.reservations('other')
  assert.equal((await other.post({ ...whose, cause, key: 'a' })).status, 'refused')
  const outcome = await other.reserve(ofBudget('a', 1n))
  assert.deepEqual([outcome.status, outcome.status === 'done' && outcome.isRepeated], ['done', false])
  await assert.rejects(async () => port.reserve(ofBudget('other/a', 1n)), /key/)
})

test('a module that is never heard of again holds nothing for ever', async (t) => {
  const { app, port } = await openBudget(t, 100n)
  await app.start()
  await port.reserve({ ...ofBudget('a', 60n), expiresAt: Date.now() + 200 })
  await until('it is let go', async () => (await told(app)).length === 2)
  assert.deepEqual((await told(app))[1], ['toy/a', 'ledger.hold_ended', 'expired'])
  const late = { status: 'refused', refusal: { code: 'hold_ended', id: 'toy/a', state: 'expired' } }
  assert.deepEqual(await port.post({ ...whose, cause, key: 'a' }), late)
})

// The decider calls the port in the middle of its own transaction. Its event comes again, to whoever takes its work over; and
// so does the call. test/full/reservations.test.ts interrupts it at every statement.
test('a decider that dies between its calls, or after them, has moved the money once when another has finished', async (t) => {
  const { app, port } = await openBudget(t, 100n)
  const spenders = await openSpenders(t, app, port)
  assert.equal(await spenders.interrupted('after-reserve', { kind: 'die', after: 'reserve' }), true)
  assert.equal(await spenders.interrupted('after-post', { kind: 'cut', after: 'post' }), true)
  assert.deepEqual(await budgetLeft(app), { posted: `${2n * COST - 100n}`, held: '0' })
  assert.deepEqual(
    (await told(app)).filter(([, type]) => type === 'ledger.hold_ended'),
    [
      ['toy/after-reserve', 'ledger.hold_ended', 'posted'],
      ['toy/after-post', 'ledger.hold_ended', 'posted'],
    ],
  )
})

async function told(app: AppUnderTest): Promise<(string | null)[][]> {
  const rows = await app.rows<{ hold: string; type: string; state: string | null }>(
    `select data ->> 'hold' as hold, type, data ->> 'state' as state from log.event
     where topic = 'ledger' and key like 'hold/%' order by position, "offset"`,
  )
  return rows.map(({ hold, type, state }) => [hold, type, state])
}
