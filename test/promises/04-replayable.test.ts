import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AppUnderTest, openApp, stripeAccount } from '#harness/app'
import { chargeSucceeded, disputeObject, refundObject, stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { verifyLedger } from '#ledger'
import { createHistory, createRedrive, openReplay, type Replay } from '#log'

// Projections are folds of facts: thrown away and folded anew they are what they were, row by row. Deciders that meet
// their events again are the promise "once".

test('balances thrown away are folded anew from the log, row by row the same', async (t) => {
  const app = await openApp(t)
  await app.start()
  const names = Array.from({ length: 120 }, (_, number) => `p${number}`)
  await Promise.all(names.map((name, number) => app.webhook(chargeSucceeded(name, 100 + number))))
  for (const name of names.slice(0, 30)) await app.webhook(stripeEvent('refund.created', refundObject(name, 'a', 40)))
  for (const name of names.slice(20, 40)) {
    await app.webhook(stripeEvent('charge.dispute.funds_withdrawn', disputeObject(name, 50)))
  }
  await app.settle()
  const before = await balances(app)
  assert.ok(before.length > 8)

  await app.stop()
  await app.rows('truncate ledger.balance')
  await app.rows(`update log.checkpoint set next_offset = 0 where grp = 'ledger.balances'`)
  await app.start()
  await app.settle()
  assert.deepEqual(await balances(app), before)
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  assert.deepEqual(app.reports, [])
})

test('what comes in while the past is folded anew is folded behind it', async (t) => {
  const app = await openApp(t)
  await app.start()
  await Promise.all(Array.from({ length: 60 }, (_, number) => app.webhook(chargeSucceeded(`p${number}`))))
  await app.settle()
  await app.stop()
  await app.rows('truncate ledger.balance')
  await app.rows(`update log.checkpoint set next_offset = 0 where grp = 'ledger.balances'`)
  await Promise.all([
    app.start(),
    ...Array.from({ length: 60 }, (_, number) => app.webhook(chargeSucceeded(`q${number}`))),
  ])
  await app.settle()
  const rows = await app.rows(
    `select sum(credit) as credit from ledger.balance where account = 'merchant:mer_acme:payable'`,
  )
  assert.deepEqual(rows, [{ credit: 120_000n }])
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
})

test('every projection is the same rebuilt beside the live one, while load, redrives and an erasure go on', async (t) => {
  const accounts = ['acme', 'other', 'quiet'].map((name) =>
    stripeAccount({ name, merchant: name === 'other' ? 'mer_poison' : 'mer_acme' }),
  )
  const app = await openApp(t, { accounts })
  await app.start()
  await app.webhook(chargeSucceeded('p0'), { account: 'quiet' })
  await app.pay({ key: 'order-1', customer: 'ada@example.com' })
  await poison(app)
  const load = startLoad(app)
  await until('keys are parked', async () => (await app.rows('select from log.parked_key')).length >= 3)

  const replays = await openReplays(t, app)
  const replay = replays.get('ledger.balances')
  assert.ok(replay)
  assert.deepEqual([...replays.keys()], ['ledger.balances', 'ledger.statements'])
  for (const one of replays.values()) {
    await one.catchUp()
    assert.deepEqual(await differencesOf(one), [], 'with keys parked')
  }

  await app.rows('drop trigger poison on ledger.balance')
  const redrive = createRedrive(app.databases.work, systemRandom, app.app.modules)
  const retry = () => redrive.retry({ group: null, key: null }, { by: 'os:ada', isDryRun: false })
  await retry()
  assert.ok((await app.app.eraseCustomer('main', 'ada@example.com')) > 0)
  assert.deepEqual(await differencesOf(replay), [], 'in the middle of a retry')
  // A batch that had choked before may park its key after the first retry was asked for.
  await until('nothing is parked', async () => (await retry()).length === 0)
  for (const one of replays.values()) assert.deepEqual(await differencesOf(one), [], 'with what was retried')

  await plantWrongRows(app)
  assert.deepEqual(
    (await differencesOf(replay)).map(({ key, live, rebuilt }) => [
      JSON.parse(key).account,
      live !== null,
      rebuilt !== null,
    ]),
    [
      ['gateway:acme:receivable', true, true],
      ['gateway:nobody:receivable', true, false],
      ['gateway:quiet:receivable', false, true],
    ],
  )
  await replay.swap('os:ada')
  assert.deepEqual(await differencesOf(replay), [], 'after the swap, with what came since')
  await load.stop()
  await app.settle()
  for (const one of replays.values()) assert.deepEqual(await differencesOf(one), [])
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  const [{ data } = { data: {} }] = await app.rows<{ data: object }>(
    `select data from log.event where type = 'log.projection_swapped'`,
  )
  assert.partialDeepStrictEqual(data, { projection: 'ledger.balances', by: 'os:ada', tables: [{ removed: 1 }] })
})

/** Payments of two accounts, with refunds, for as long as wanted: of the poisoned one fewer than a group may park in a minute. */
function startLoad(app: AppUnderTest): { stop(): Promise<void> } {
  let isOver = false
  const send = async (account: string): Promise<void> => {
    for (let n = 0; !isOver && (account === 'acme' || n < 50); n++) {
      const name = `${account}${n}`
      await app.webhook(chargeSucceeded(name, 100 + n), { account })
      if (n % 3 === 0) await app.webhook(stripeEvent('refund.created', refundObject(name, 'a', 40)), { account })
    }
  }
  const sending = Promise.all(['acme', 'other'].map(send))
  return {
    async stop() {
      isOver = true
      await sending
    },
  }
}

/** The live projection cannot write what belongs to one merchant; the rebuilt rows are elsewhere. */
async function poison(app: AppUnderTest): Promise<void> {
  await app.rows(`create function ledger.choke() returns trigger language plpgsql as $$
    begin raise exception 'poison' using errcode = 'check_violation'; end $$`)
  await app.rows(`create trigger poison before insert or update on ledger.balance for each row
    when (new.account = 'merchant:mer_poison:payable') execute function ledger.choke()`)
}

async function openReplays(t: TestContext, app: AppUnderTest): Promise<Map<string, Replay>> {
  const replays = new Map<string, Replay>()
  for (const module of app.app.modules) {
    for (const { name } of module.projections ?? []) {
      const live = openDatabase({ url: app.url, connectionsMax: 1, applicationName: 'replay', keepsIdle: true })
      t.after(() => live.close())
      const history = createHistory({ database: app.databases.read })
      const projection = `${module.name}.${name}`
      const seams = { live, history, clock: systemClock, random: systemRandom }
      replays.set(projection, await openReplay({ modules: app.app.modules, projection, ...seams }))
    }
  }
  return replays
}

async function differencesOf(replay: Replay) {
  const found: { key: string; live: string | null; rebuilt: string | null }[] = []
  await replay.compare((difference) => void found.push(difference))
  return found
}

/** One changed, one missing, one too many, under the lock that batches take. */
async function plantWrongRows(app: AppUnderTest): Promise<void> {
  await app.databases.work.transaction({}, async (tx) => {
    await tx.script(`select from log.checkpoint where grp = 'ledger.balances' order by topic, partition for update;
      update ledger.balance set debit = debit + 1 where (account, stripe) in
        (select account, min(stripe) from ledger.balance where account = 'gateway:acme:receivable' group by account);
      delete from ledger.balance where account = 'gateway:quiet:receivable';
      insert into ledger.balance values ('main', 'test', 'gateway:nobody:receivable', 'EUR', 0, 7, 7, 1)`)
  })
}

function balances(app: AppUnderTest): Promise<Record<string, unknown>[]> {
  return app.rows('select * from ledger.balance order by tenant, mode, account, currency, stripe')
}
