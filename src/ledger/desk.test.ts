import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { until } from '#harness/until'
import type { Command, Transfer } from './command.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }

test('two processes never take an account below its floor, and both say how much there was', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await one.app.ledger.accounts.open(whose, { account: 'wallet:ada', type: 'liability', floor: 0n }, asked)
  await submit(one, entry('in', { debit: 'cash', credit: 'wallet:ada', amount: 100n }))
  const outs = Array.from({ length: 60 }, (_, n) =>
    entry(`out-${n}`, { debit: 'wallet:ada', credit: 'cash', amount: 3n }),
  )
  const outcomes = (await Promise.all(outs.map((out, n) => submit(n % 2 ? one : other, out)))).flat()
  assert.equal(outcomes.filter(({ status }) => status === 'done').length, 33)
  for (const outcome of outcomes) {
    if (outcome.status === 'done') continue
    const { code, ...about } = outcome.refusal
    assert.equal(code, 'insufficient_funds')
    assert.deepEqual(
      { ...about, available: undefined },
      { account: 'wallet:ada', currency: 'EUR', available: undefined, needed: 3n },
    )
  }
  const [guard] = await one.rows("select posted::text from ledger.guard where account = 'wallet:ada'")
  assert.equal(guard?.posted, '-1')
})

test('the same id at two processes at once is one entry', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await one.app.ledger.accounts.open(whose, { account: 'wallet:ada', type: 'liability', floor: 0n }, asked)
  const same = entry('once', { debit: 'cash', credit: 'wallet:ada', amount: 5n })
  const outcomes = (await Promise.all([one, other, one, other].map((app) => submit(app, same)))).flat()
  assert.ok(outcomes.every((outcome) => outcome.status === 'done'))
  assert.equal(outcomes.filter((outcome) => outcome.status === 'done' && !outcome.isRepeated).length, 1)
  const [{ n, posted } = {}] = await one.rows(
    "select count(*)::int as n, min(g.posted)::text as posted from ledger.entry, ledger.guard g where g.account = 'wallet:ada'",
  )
  assert.deepEqual([n, posted], [1, '-5'])
})

test('an entry leads back to the request that it was booked for, not to one of the moment that was refused under its id', async (t) => {
  const { app, rows } = await openApp(t)
  for (const account of ['cash', 'till']) await app.ledger.accounts.open(whose, { account, type: 'asset' }, asked)
  const ask = (command: Command, trace: string) => {
    const traceparent = `00-${trace.repeat(32)}-00f067aa0ba902b7-01`
    return app.ledger.desk.submit({ ...whose, traceparent, commands: [command], isLinked: false })
  }
  const order = (id: string, amount: bigint): Command => entry(id, { debit: 'till', credit: 'cash', amount })
  const other = { ...order('e', 2n), fingerprint: 'other' }
  // The first goes alone; the three that come meanwhile share a transaction.
  await Promise.all([
    ask(order('before', 1n), 'a'),
    ask(order('e', 1n), 'b'),
    ask(other, 'c'),
    ask(order('e', 1n), 'd'),
  ])
  const traced =
    'select substr(traceparent, 4, 4) as trace, amounts::text[] as amounts from ledger.entry where source = $1'
  assert.deepEqual(await rows(traced, ['entry/e']), [{ trace: 'bbbb', amounts: ['1', '-1'] }])
})

test('many bulk requests of one moment are several transactions of bounded size, and every entry is booked', async (t) => {
  const one = await openApp(t)
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await one.app.ledger.accounts.open(whose, { account: 'till', type: 'asset' }, asked)
  const requests = Array.from({ length: 8 }, (_, request) =>
    Array.from({ length: 300 }, (_, n) => entry(`bulk-${request}-${n}`, { debit: 'till', credit: 'cash', amount: 1n })),
  )
  const submitted = requests.map((commands) =>
    one.app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false }),
  )
  const outcomes = (await Promise.all(submitted)).flat()
  assert.equal(outcomes.filter((outcome) => outcome.status === 'done' && !outcome.isRepeated).length, 2_400)
  const sizes = await one.rows('select count(*)::int as n from ledger.entry group by xmin order by n')
  assert.deepEqual(
    sizes.map(({ n }) => n),
    [600, 900, 900],
  )
})

test('an account that becomes guarded has all that was booked on it before, read or not, and what is booked meanwhile', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await one.app.ledger.accounts.open(whose, { account: 'till', type: 'asset' }, asked)
  const ins = Array.from({ length: 200 }, (_, n) => entry(`in-${n}`, { debit: 'till', credit: 'cash', amount: 1n }))
  const booking = Promise.all(ins.map((command, n) => submit(n % 2 ? one : other, command)))
  await one.app.ledger.accounts.change(whose, 'till', { floor: 0n }, asked)
  await booking
  const [guard] = await one.rows("select posted::text from ledger.guard where account = 'till'")
  assert.equal(guard?.posted, '200')
})

test('a hold whose time is over is let go', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await app.app.ledger.accounts.open(whose, { account: 'wallet:ada', type: 'liability', floor: 0n }, asked)
  await submit(app, entry('in', { debit: 'cash', credit: 'wallet:ada', amount: 100n }))
  const hold: Command = {
    kind: 'hold',
    id: 'h1',
    fingerprint: 'h1',
    purpose: 'hold',
    transfer: { debit: 'wallet:ada', credit: 'cash', amount: 100n, currency: 'EUR' },
    conditions: [],
    expiresAt: Date.now() + 300,
  }
  assert.equal((await submit(app, hold))[0]?.status, 'done')
  const out = entry('out', { debit: 'wallet:ada', credit: 'cash', amount: 1n })
  assert.equal((await submit(app, out))[0]?.status, 'refused')
  await until(
    'the hold is over',
    async () => (await app.rows("select 1 from ledger.hold where state = 'expired'")).length === 1,
  )
  assert.equal((await submit(app, out))[0]?.status, 'done')
})

test('what is closed takes nothing more, whoever books at that moment, and is opened with a reason', async (t) => {
  const [one, other] = await twoApps(t)
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await one.app.ledger.accounts.open(whose, { account: 'sales', type: 'income' }, asked)
  const ins = Array.from({ length: 100 }, (_, n) => entry(`in-${n}`, { debit: 'cash', credit: 'sales', amount: 1n }))
  const booking = Promise.all(ins.map((command, n) => submit(n % 2 ? one : other, command)))
  const { effectiveAt } = { effectiveAt: 1_700_000_000_000 }
  await one.app.ledger.periods.close(whose, effectiveAt, asked)
  const closedAt = (await one.rows('select count(*)::int as n from ledger.entry'))[0]?.n
  const outcomes = (await booking).flat()
  const done = outcomes.filter(({ status }) => status === 'done').length
  assert.equal(done, closedAt)
  for (const outcome of outcomes) if (outcome.status === 'refused') assert.equal(outcome.refusal.code, 'period_closed')
  await assert.rejects(one.app.ledger.periods.close(whose, effectiveAt - 1, asked), { code: 'period_invalid' })
  await assert.rejects(one.app.ledger.periods.reopen(whose, undefined, 'for ada@example.com', asked), {
    code: 'reason_invalid',
  })
  await one.app.ledger.periods.reopen(whose, undefined, 'an invoice came late', asked)
  assert.equal((await submit(other, entry('late', { debit: 'cash', credit: 'sales', amount: 1n })))[0]?.status, 'done')
})

async function twoApps(t: Parameters<typeof openApp>[0]) {
  const one = await openApp(t)
  return [one, await openApp(t, { url: one.url, process: 'other' })] as const
}

function submit({ app }: Awaited<ReturnType<typeof openApp>>, command: Command) {
  return app.ledger.desk.submit({ ...whose, ...asked, commands: [command], isLinked: false })
}

function entry(id: string, transfer: Omit<Transfer, 'currency'>): Command {
  const about = { purpose: 'transfer', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }
  return { kind: 'entry', id, fingerprint: id, transfers: [{ ...transfer, currency: 'EUR' }], ...about }
}
