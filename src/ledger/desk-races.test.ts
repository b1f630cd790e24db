import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp, traceparent } from '#harness/app'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { statement } from '#kernel/database'
import type { Command, Outcome, Transfer } from './command.ts'

// Two processes, one of which is stopped at a lock in the middle of what it does: what the other commits meanwhile comes
// before it or after it, and never half.

const whose = { tenant: 'main', mode: 'test' }
const asked = { traceparent }
const EUR = 'EUR'
type Apps = Awaited<ReturnType<typeof twoApps>>

test('a hold that is placed while its void is on the way is voided whole, or not at all', async (t) => {
  const apps = await twoApps(t)
  const placed = hold('h1', 60n)
  const release: Command = { kind: 'hold_void', id: 'v1', fingerprint: 'v1', hold: 'h1', isExpiry: false }
  const [voided] = await whileStoppedAtGate(apps, release, placed)
  assert.deepEqual(voided, { status: 'done', id: 'v1', entry: undefined, isRepeated: false })
  const held = await apps.one.rows(
    "select account, held_debit + held_credit as held from ledger.guard where account like 'wallet:%' order by 1",
  )
  assert.deepEqual(held, [
    { account: 'wallet:ada', held: 0n },
    { account: 'wallet:bob', held: 0n },
  ])
})

test('an entry that is booked while its reversal is on the way is not there yet, or is reversed', async (t) => {
  const apps = await twoApps(t)
  const booked = entry('e1', { debit: 'wallet:ada', credit: 'wallet:bob', amount: 60n })
  const reversal: Command = { kind: 'reversal', id: 'r1', fingerprint: 'r1', entry: 'entry/e1', effectiveAt: 1 }
  const [outcome] = await whileStoppedAtGate(apps, reversal, booked)
  assert.equal(outcome?.status, 'done')
})

test('what is booked while it is asked for again is not refused for want of the money that it has moved', async (t) => {
  const apps = await twoApps(t)
  const all = entry('e1', { debit: 'wallet:ada', credit: 'wallet:bob', amount: 100n })
  const [outcome] = await whileStoppedAtGate(apps, all, all)
  assert.ok(outcome?.status === 'done' && outcome.isRepeated)
})

test('what is first booked on an account while another waits to book on it is not written over', async (t) => {
  const apps = await twoApps(t)
  for (const account of ['fresh', 'brand']) await open(apps.one, account, { isGuarded: true })
  const to = (id: string, credit: string, amount: bigint) => entry(id, { debit: 'cash', credit, amount })
  const ends = Promise.withResolvers<void>()
  // Makes whoever is the first to use `brand` wait before it writes anything else.
  const stopper = apps.one.databases.work.transaction({}, async (tx) => {
    await tx.query(BRAND)
    await ends.promise
    throw new Error('undone')
  })
  const stopped = whileStoppedAtGate(
    apps,
    { ...to('e1', 'fresh', 1n), transfers: both('fresh', 'brand') },
    to('e2', 'fresh', 5n),
  )
  await until(
    'it waits to use brand',
    async () => (await guardOf(apps.one, 'fresh')) === '-5' && (await waiting(apps.one)) === 1,
  )
  let isOver = false
  const third = submit(apps.one, to('e3', 'fresh', 7n)).finally(() => (isOver = true))
  await until('it is through, or waits', async () => isOver || (await waiting(apps.one)) === 2)
  ends.resolve()
  await assert.rejects(stopper, /undone/)
  assert.deepEqual([...(await stopped), ...(await third)].map(codeOf), ['done', 'done', 'done'])
  assert.equal(await guardOf(apps.one, 'fresh'), '-13')
})

test('two conditions on accounts that have never held anything do not both hold when each entry breaks the other', async (t) => {
  const { one, other } = await twoApps(t)
  for (const account of ['first', 'second']) await open(one, account, { isGuarded: true })
  const bonus = (id: string, credit: string, empty: string): Command => {
    return {
      ...entry(id, { debit: 'cash', credit, amount: 5n }),
      conditions: [{ account: empty, currency: EUR, atMost: 0n }],
    }
  }
  const outcomes = await one.databases.work.transaction({}, async (tx) => {
    await tx.query(HEADS)
    const both = [submit(one, bonus('b1', 'first', 'second')), submit(other, bonus('b2', 'second', 'first'))]
    await until('both wait', async () => (await waiting(one)) === 2)
    return both
  })
  const told = (await Promise.all(outcomes))
    .flat()
    .map((outcome) => (outcome.status === 'done' ? 'done' : outcome.refusal.code))
  assert.deepEqual(told.sort(), ['condition_failed', 'done'])
})

test('a hold is not posted under the id of an entry, and others who ask at that moment do not notice', async (t) => {
  const { one } = await twoApps(t)
  await submit(
    one,
    hold('h1', 10n),
    hold('h2', 10n),
    entry('taken', { debit: 'cash', credit: 'wallet:ada', amount: 1n }),
  )
  const post = (id: string, of: string): Command => {
    return { kind: 'hold_post', id, fingerprint: `${id}/${of}`, hold: of, amount: undefined, effectiveAt: 1 }
  }
  const outcomes = await Promise.all([
    submit(one, post('taken', 'h1')),
    submit(one, entry('free', { debit: 'cash', credit: 'wallet:ada', amount: 1n })),
    submit(one, post('p1', 'h1'), post('p1', 'h2')),
  ])
  assert.deepEqual(outcomes.flat().map(codeOf), ['id_reused', 'done', 'done', 'id_reused'])
})

test('nobody is told of a deadlock', async (t) => {
  const { one } = await twoApps(t)
  await submit(one, { ...hold('h1', 10n), expiresAt: FAR })
  const release: Command = { kind: 'hold_void', id: 'v1', fingerprint: 'v1', hold: 'h1', isExpiry: false }
  // As expire-holds does it: first the timer is spent, then the hold is locked.
  const outcome = await one.databases.work.transaction({}, async (tx) => {
    await tx.query(TIMER)
    const voided = submit(one, release)
    await until('it waits for the timer', async () => (await waiting(one)) === 1)
    await tx.query(HOLD)
    return [voided]
  })
  assert.deepEqual((await Promise.all(outcome)).flat().map(codeOf), ['done'])
})

test('a hold that is about to be over is voided without waiting for whoever has its timer', async (t) => {
  const { one } = await twoApps(t)
  await submit(one, { ...hold('h1', 10n), expiresAt: systemClock.now() + 5_000 })
  const release: Command = { kind: 'hold_void', id: 'v1', fingerprint: 'v1', hold: 'h1', isExpiry: false }
  const [outcome] = await one.databases.work.transaction({}, async (tx) => {
    await tx.query(TIMER)
    return submit(one, release)
  })
  assert.equal(outcome?.status, 'done')
})

function hold(id: string, amount: bigint): Extract<Command, { kind: 'hold' }> {
  const transfer = { debit: 'wallet:ada', credit: 'wallet:bob', amount, currency: EUR }
  return { kind: 'hold', id, fingerprint: id, purpose: 'hold', transfer, conditions: [], expiresAt: undefined }
}

function codeOf(outcome: Outcome): string {
  return outcome.status === 'done' ? 'done' : outcome.refusal.code
}

function both(...credits: string[]): Transfer[] {
  return credits.map((credit) => ({ debit: 'cash', credit, amount: 1n, currency: EUR }))
}

async function guardOf({ rows }: Apps['one'], account: string): Promise<string | undefined> {
  const [row] = await rows<{ posted: string }>('select posted::text from ledger.guard where account = $1', [account])
  return row?.posted
}

const BRAND = statement('test.use_brand', "insert into ledger.guard values ('main', 'test', 'brand', 'EUR', 0, 0, 0)")
const FAR = Date.UTC(2100, 0)
const TIMER = statement('test.lock_timer', "select from log.timer where id = 'main/test/hold/h1' for update")
const HOLD = statement('test.lock_hold', "select from ledger.hold where id = 'h1' for update")
const GATE = statement('test.lock_gate', "select from ledger.guard where account = 'gate' for update")
const HEADS = statement('test.lock_heads', "select from log.partition where topic = 'ledger' for update")

/** Submits a command to one process together with an entry on an account that is locked, and meanwhile another to the other. */
async function whileStoppedAtGate(
  { one, other }: Apps,
  stopped: Command,
  meanwhile: Command,
): Promise<readonly Outcome[]> {
  const outcomes = await one.databases.work.transaction({}, async (tx) => {
    await tx.query(GATE)
    const waits = submit(other, stopped, entry('at-gate', { debit: 'cash', credit: 'gate', amount: 1n }))
    await until('it waits at the gate', async () => (await waiting(one)) === 1)
    assert.equal((await submit(one, meanwhile))[0]?.status, 'done')
    return [waits]
  })
  return (await Promise.all(outcomes)).flat()
}

async function waiting({ rows }: Apps['one']): Promise<number> {
  const [row] = await rows<{ n: number }>(
    "select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  )
  return row?.n ?? 0
}

async function twoApps(t: Parameters<typeof openApp>[0]) {
  const one = await openApp(t)
  const other = await openApp(t, { url: one.url, process: 'other' })
  await one.app.ledger.accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await open(one, 'wallet:ada', { floor: 0n })
  await open(one, 'wallet:bob', { floor: 0n })
  await open(one, 'gate', { isGuarded: true })
  const funded = ['wallet:ada', 'gate'].map((credit) => entry(`to-${credit}`, { debit: 'cash', credit, amount: 100n }))
  await submit(one, ...funded)
  return { one, other }
}

async function open({ app }: Apps['one'], account: string, limits: { floor?: bigint; isGuarded?: boolean }) {
  await app.ledger.accounts.open(whose, { account, type: 'liability', ...limits }, asked)
}

function submit({ app }: Awaited<ReturnType<typeof openApp>>, ...commands: Command[]) {
  return app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false })
}

function entry(id: string, transfer: Omit<Transfer, 'currency'>): Extract<Command, { kind: 'entry' }> {
  const about = { purpose: 'transfer', postings: [], conditions: [], effectiveAt: 1 }
  return { kind: 'entry', id, fingerprint: id, transfers: [{ ...transfer, currency: EUR }], ...about }
}
