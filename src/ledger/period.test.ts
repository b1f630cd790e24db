import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { lockAccounts } from './account-sql.ts'
import { openBook, writeBook } from './book-sql.ts'
import type { PostEntry } from './command.ts'
import { decide } from './decide.ts'
import { writePeriod } from './period-sql.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const through = Date.parse('2026-03-31T23:59:59.999Z')

test('what is booked while another process closes the books is before the closing, or refused', async (t) => {
  const [one, other] = await twoApps(t)
  const book = (n: number) => submit(n % 2 ? one : other, entry(`e-${n}`, n % 5 === 4 ? through + 1 : through - n))
  const before = Array.from({ length: 40 }, (_, n) => book(n))
  const closing = one.app.ledger.periods.close(whose, through, asked)
  const after = Array.from({ length: 40 }, (_, n) => book(n + 40))
  const outcomes = await Promise.all([...before, ...after])
  await closing
  outcomes.push(await book(101), await book(104))

  const told = await one.rows<{ source: string; is_before: boolean; effective_ms: string }>(
    `select e.event::json -> 'data' ->> 'source' as source, e.event::json -> 'data' ->> 'effectiveAt' as effective_ms,
       e.position < c.position as is_before
     from log.record e, log.record c where e.type = 'ledger.entry_posted' and c.type = 'ledger.period_closed'`,
  )
  const done = outcomes.filter(({ status }) => status === 'done')
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'refused' ? [outcome.refusal.code] : []))
  assert.equal(told.length, done.length)
  assert.deepEqual([...new Set(refused)], ['period_closed'])
  for (const { source, effective_ms, is_before } of told) {
    assert.ok(is_before || Number(effective_ms) > through, `${source} was booked after the closing`)
  }
})

test('who has begun to book is waited for, and counts', async (t) => {
  const [one, other] = await twoApps(t)
  let closing: Promise<void> | undefined
  await one.databases.work.transaction({}, async (tx) => {
    const open = await openBook(tx, whose, {
      accounts: new Set(['cash', 'till']),
      sources: new Set(),
      holds: new Set(),
    })
    closing = other.app.ledger.periods.close(whose, through, asked)
    await until('the closing waits', () => isSomebodyWaiting(one))
    assert.equal(decide(open.book, entry('e-1', through), () => 'ent_1').status, 'done')
    await writeBook(tx, whose, open, () => ({ eventId: 'evt_1', traceparent: asked.traceparent }))
  })
  await closing
  assert.deepEqual(await one.rows('select source from ledger.entry'), [{ source: 'entry/e-1' }])
  assert.equal((await submit(one, entry('e-2', through))).status, 'refused')
  assert.equal((await submit(one, entry('e-3', through + 1))).status, 'done')
})

test('who begins to book while the books are closed learns it', async (t) => {
  const [one, other] = await twoApps(t)
  let booking: ReturnType<typeof submit> | undefined
  await other.databases.work.transaction({}, async (tx) => {
    await lockAccounts(tx)
    await writePeriod(tx, whose, through)
    booking = submit(one, entry('e-1', through))
    await until('the entry waits', () => isSomebodyWaiting(one))
  })
  assert.deepEqual(await booking, { status: 'refused', refusal: { code: 'period_closed', closedThrough: through } })
})

test('closed books are opened with a reason, and both is told', async (t) => {
  const [one] = await twoApps(t)
  const { periods } = one.app.ledger
  await assert.rejects(periods.close(whose, systemClock.now() + 60_000, asked), { code: 'period_invalid' })
  await periods.close(whose, through, asked)
  await assert.rejects(periods.close(whose, through - 1, asked), { code: 'period_invalid' })
  await assert.rejects(periods.reopen(whose, undefined, '', asked), { code: 'reason_invalid' })
  await assert.rejects(periods.reopen(whose, through, 'an invoice came late', asked), { code: 'period_invalid' })
  await periods.reopen(whose, through - 1000, 'an invoice came late', asked)
  assert.equal((await submit(one, entry('e-1', through - 1000))).status, 'refused')
  assert.equal((await submit(one, entry('e-2', through))).status, 'done')
  await periods.reopen(whose, undefined, 'and all of it', asked)
  await assert.rejects(periods.reopen(whose, undefined, 'once more', asked), { code: 'period_invalid' })
  assert.equal(await periods.closedThrough(whose), undefined)
  const told = await one.rows(
    `select type, event::json -> 'data' as data from log.record where type like 'ledger.period%' order by position`,
  )
  const reopened = { was: through, through: through - 1000, reason: 'an invoice came late' }
  assert.deepEqual(told, [
    { type: 'ledger.period_closed', data: { through } },
    { type: 'ledger.period_reopened', data: reopened },
    { type: 'ledger.period_reopened', data: { was: through - 1000, reason: 'and all of it' } },
  ])
})

function entry(id: string, effectiveAt: number): PostEntry {
  const transfers = [{ debit: 'cash', credit: 'till', amount: 5n, currency: 'EUR' }]
  return { kind: 'entry', id, fingerprint: id, purpose: 'entry', postings: [], transfers, conditions: [], effectiveAt }
}

async function submit({ app }: AppUnderTest, command: PostEntry) {
  const [outcome] = await app.ledger.desk.submit({ ...whose, ...asked, commands: [command], isLinked: false })
  assert.ok(outcome)
  return outcome
}

async function isSomebodyWaiting(app: AppUnderTest): Promise<boolean> {
  const waiting = await app.rows(
    `select 1 from pg_locks l join pg_database d on d.oid = l.database
     where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`,
  )
  return waiting.length > 0
}

async function twoApps(t: Parameters<typeof openApp>[0]): Promise<[AppUnderTest, AppUnderTest]> {
  const one = await openApp(t)
  for (const account of ['cash', 'till']) await one.app.ledger.accounts.open(whose, { account, type: 'asset' }, asked)
  return [one, await openApp(t, { url: one.url })]
}
