import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type AppUnderTest, openApp, traceparent } from '#harness/app'
import { until } from '#harness/until'
import { roleOf } from '#log'
import { bookScheduled } from './book-scheduled.ts'
import type { Command, Outcome, PostEntry } from './command.ts'
import { entryIn, keptEntry } from './schedule.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent }

test('what is kept until it is due is what was asked for, to the last digit', () => {
  const plain = { noNullPrototype: true } as const
  const account = fc.constantFrom('cash', 'wallet:ada', 'merchant:mer_1:payable')
  const currency = fc.constantFrom('EUR', 'USD')
  const amount = fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n })
  const transfer = fc.record(
    { debit: account, credit: account, amount, currency, isSweep: fc.boolean(), leaves: amount },
    { requiredKeys: ['debit', 'credit', 'amount', 'currency'], ...plain },
  )
  const condition = fc.record(
    { account, currency, atLeast: amount, atMost: amount },
    { requiredKeys: ['account', 'currency'], ...plain },
  )
  const entry = fc.record(
    {
      kind: fc.constant('entry' as const),
      id: fc.string(),
      fingerprint: fc.string(),
      purpose: fc.string(),
      effectiveAt: fc.nat(),
      postings: fc.array(fc.record({ account, amount, currency }, plain)),
      transfers: fc.array(transfer),
      conditions: fc.array(condition),
    },
    plain,
  )
  fc.assert(
    fc.property(entry, (one) => {
      assert.deepEqual(entryIn(JSON.parse(JSON.stringify(keptEntry(one)))), one)
    }),
  )
  const reversal = { kind: 'reversal', id: 'r', fingerprint: 'r', entry: 'entry/e', effectiveAt: 1 } as const
  assert.deepEqual(entryIn(JSON.parse(JSON.stringify(keptEntry(reversal)))), reversal)
})

test('what is taken back as it falls due is either booked or taken back, and both say so', async (t) => {
  const [one, other] = await twoProcesses(t)
  const names = Array.from({ length: 60 }, (_, n) => `s-${n}`)
  const begin = Date.now() + 300
  // The first are over before anybody takes them back, the last are not due for an hour, and the rest are a toss-up.
  const dueAt = (n: number): number => (n < 55 ? begin + n * 15 : begin + 3_600_000)
  await Promise.all(names.map((id, n) => submit(n % 2 ? one : other, scheduled(id, 1n, dueAt(n)))))
  await until('the first are over', async () => (await statesOf(one)).get('entry/s-1') !== 'scheduled')
  const outcomes = await Promise.all(
    names.map(async (id, n) => {
      if (n < 55) await until('it is about due', () => Date.now() >= dueAt(n) - 20 + (n % 5) * 15)
      return submit(n % 2 ? one : other, { kind: 'schedule_cancel', id, fingerprint: 'cancel' })
    }),
  )
  await until('all are over', async () => ![...(await statesOf(one)).values()].includes('scheduled'))
  const states = await statesOf(one)
  for (const [n, id] of names.entries()) {
    const outcome = outcomes[n]
    const state = outcome?.status === 'done' ? 'canceled' : 'booked'
    assert.equal(states.get(`entry/${id}`), state, id)
  }
  const booked = [...states].flatMap(([source, state]) => (state === 'booked' ? [source] : []))
  assert.ok(booked.length > 0 && booked.length < names.length, `${booked.length} booked`)
  const entries = await one.rows<{ source: string }>("select source from ledger.entry where source like 'entry/s-%'")
  assert.deepEqual(entries.map(({ source }) => source).sort(), booked.sort())
  const [guard] = await one.rows("select (-posted)::int as posted from ledger.guard where account = 'wallet'")
  assert.deepEqual(guard, { posted: 100 - booked.length })
  const timers = "select from log.timer where id like 'main/test/entry/%'"
  await until('no timer is left', async () => (await one.rows(timers)).length === 0)
})

test('what fell due while nothing ran is booked when something runs again, as of when it was due', async (t) => {
  const [one] = await twoProcesses(t, { isStarted: false })
  const dueAt = Date.now() + 200
  await submit(one, scheduled('s', 1n, dueAt))
  await submit(one, { ...scheduled('undo', 0n, dueAt + 1), entry: reversalOf('entry/in', 'undo') })
  await until('it is due', () => Date.now() > dueAt + 300)
  await one.start()
  await until('it is over', async () => ![...(await statesOf(one)).values()].includes('scheduled'))
  const rows = await one.rows<{ source: string; effective: number; late: boolean }>(
    `select source, (extract(epoch from effective_at) * 1000)::float8 as effective, booked_at > effective_at as late
     from ledger.entry where source <> 'entry/in' order by source`,
  )
  assert.deepEqual(rows, [{ source: 'entry/s', effective: dueAt, late: true }])
  // One of them was spent before: the whole of it cannot be taken back any more.
  const refused = await one.rows("select refusal ->> 'code' as code from ledger.schedule where state = 'refused'")
  assert.deepEqual(refused, [{ code: 'insufficient_funds' }])
})

test('one id of two tenants and of two modes is three schedules, each booked in its own books', async (t) => {
  const one = await openApp(t)
  await one.start()
  const { accounts, desk } = one.app.ledger
  const books = [whose, { ...whose, mode: 'live' }, { ...whose, tenant: 'other' }]
  const dueAt = Date.now() + 200
  for (const [n, of] of books.entries()) {
    for (const account of ['wallet', 'cash']) await accounts.open(of, { account, type: 'asset' }, asked)
    await desk.submit({ ...of, ...asked, commands: [scheduled('s', BigInt(n + 1), dueAt)], isLinked: false })
  }
  await desk.submit({
    ...whose,
    ...asked,
    commands: [{ kind: 'schedule_cancel', id: 's', fingerprint: 'cancel' }],
    isLinked: false,
  })
  await until('the others are booked', async () => (await one.rows('select 1 from ledger.entry')).length === 2)
  const rows = await one.rows('select tenant, mode, amounts[1]::int as amount from ledger.entry order by amount')
  assert.deepEqual(rows, [
    { tenant: 'main', mode: 'live', amount: 2 },
    { tenant: 'other', mode: 'test', amount: 3 },
  ])
})

test('what falls due in a period that has been closed is refused, and says so', async (t) => {
  const [one] = await twoProcesses(t, { isStarted: false })
  const dueAt = Date.now() + 100
  await submit(one, scheduled('s', 1n, dueAt))
  await until('it is due', () => Date.now() > dueAt + 10)
  await one.app.ledger.periods.close(whose, dueAt, asked)
  await one.start()
  await until('it is refused', async () => (await statesOf(one)).get('entry/s') === 'refused')
  const [told] = await one.rows(
    "select data -> 'refusal' as refusal from log.event where type = 'ledger.schedule_ended'",
  )
  assert.deepEqual(told, { refusal: { code: 'period_closed', closed_through: new Date(dueAt).toISOString() } })
})

test('an event that comes again, or after what it is about was taken back, books nothing', async (t) => {
  const [one] = await twoProcesses(t, { isStarted: false })
  const due = async (id: string): Promise<string[]> => {
    const event = { ...whose, ...asked, id: `evt_${id}`, correlationId: `evt_${id}`, data: { source: `entry/${id}` } }
    const { facts = [] } = await one.databases.work.transaction({ role: roleOf('ledger') }, (tx) =>
      bookScheduled.handle([event] as never, { tx, now: Date.now() }),
    )
    return facts.map(({ of }) => of.type)
  }
  const later = Date.now() + 3_600_000
  await submit(one, scheduled('kept', 1n, later))
  await submit(one, scheduled('taken', 1n, later))
  await submit(one, { kind: 'schedule_cancel', id: 'taken', fingerprint: 'cancel' })
  assert.deepEqual(await due('taken'), [])
  assert.deepEqual(await due('nothing'), [])
  assert.deepEqual(await due('kept'), ['ledger.entry_posted', 'ledger.schedule_ended'])
  assert.deepEqual(await due('kept'), [])
  const entries = await one.rows('select source from ledger.entry order by source')
  assert.deepEqual(entries, [{ source: 'entry/in' }, { source: 'entry/kept' }])
})

async function twoProcesses(t: TestContext, { isStarted = true } = {}): Promise<[AppUnderTest, AppUnderTest]> {
  const one = await openApp(t)
  const { accounts } = one.app.ledger
  await accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await accounts.open(whose, { account: 'wallet', type: 'liability', floor: 0n }, asked)
  await submit(one, entryOf('in', { debit: 'cash', credit: 'wallet', amount: 100n }))
  const other = await openApp(t, { url: one.url, process: 'other' })
  if (isStarted) await Promise.all([one.start(), other.start()])
  return [one, other]
}

async function submit({ app }: AppUnderTest, command: Command): Promise<Outcome | undefined> {
  return (await app.ledger.desk.submit({ ...whose, ...asked, commands: [command], isLinked: false }))[0]
}

function entryOf(id: string, transfer: { debit: string; credit: string; amount: bigint }): PostEntry {
  const about = { purpose: 'transfer', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }
  return { kind: 'entry', id, fingerprint: id, transfers: [{ ...transfer, currency: 'EUR' }], ...about }
}

function scheduled(id: string, amount: bigint, dueAt: number) {
  const entry = entryOf(id, { debit: 'wallet', credit: 'cash', amount })
  return { kind: 'schedule', id, fingerprint: id, entry, askedAt: 0, dueAt } as const
}

function reversalOf(entry: string, id: string) {
  return { kind: 'reversal', id, fingerprint: id, entry, effectiveAt: 0 } as const
}

async function statesOf(app: AppUnderTest): Promise<Map<string, string>> {
  const rows = await app.rows<{ source: string; state: string }>('select source, state from ledger.schedule')
  return new Map(rows.map(({ source, state }) => [source, state]))
}
