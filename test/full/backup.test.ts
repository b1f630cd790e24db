import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openApp, rowsOf } from '#harness/app'
import { backedUp, openBackedUp } from '#harness/backups'
import { temporaryDirectory } from '#harness/directory'
import { postedPayments, startLoad } from '#harness/load'
import { startOwnServer } from '#harness/own-server'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { statement } from '#kernel/database'
import { createErasureRegister, erasuresIn } from '#kernel/erasure-register'
import { openDatabase } from '#kernel/postgres-database'
import { startTestPlatform } from '../flows/platform.ts'

// Copies of a real database that is under load, restored into directories of their own by the real recovery.

test('a backup taken under load has all that was acknowledged before it began, and the WAL all that came after', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  await app.start()
  const following = await original.follow()
  const load = startLoad(app, { clients: 16 })
  await until('payments are acknowledged', () => load.acknowledged.size > 300)
  const before = [...load.acknowledged]
  const { about } = await original.takeBackup()
  const during = load.acknowledged.size
  assert.ok(during > before.length, 'the load went on while the copy was made')
  await until('more are acknowledged', () => load.acknowledged.size > during + 300)
  await load.stop()
  await following.caughtUp()
  // The machine is gone, with whatever its consumers have not done yet.
  await app.stop()

  const latest = await original.restore()
  const whole = await original.open(latest)
  await assertPosted(whole, load.acknowledged)

  const alone = join(original.parent, 'alone')
  await rename(join(original.directory, 'wal'), join(original.parent, 'wal'))
  await rename(original.directory, alone)
  const early = await original.restore({ directory: alone })
  assert.ok((early.lastCommit ?? '') <= about.endedAt)
  await assertPosted(await original.open(early), new Set(before))
})

type App = Awaited<ReturnType<typeof openBackedUp>>['app']

async function assertPosted(app: App, acknowledged: ReadonlySet<string>): Promise<void> {
  await app.start()
  await app.settle()
  const posted = await postedPayments(app)
  assert.deepEqual(
    [...acknowledged].filter((name) => !posted.has(name)),
    [],
  )
  assert.deepEqual(
    [...posted].filter(([, n]) => n !== 1),
    [],
  )
  await app.stop()
}

test('a restore gets to the instant between two payments, and from there on both lives go their own way', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  await original.takeBackup()
  const following = await original.follow()
  await app.webhook(chargeSucceeded('first'))
  const between = await original.now()
  await app.webhook(chargeSucceeded('second'))
  await following.caughtUp()
  await following.stop()

  const restored = await original.restore({ at: between })
  assert.ok((restored.lastCommit ?? '') <= between.toISOString())
  const other = await original.open(restored)
  assert.deepEqual(await payments(other), ['first'])

  // Its WAL goes on into the same directory, as another timeline, and a restore follows it there.
  const branch = backedUp(t, other, other.url, original.directory)
  const next = await branch.follow()
  await other.webhook(chargeSucceeded('third'))
  await next.caughtUp()
  await next.stop()
  const again = await original.open(await branch.restore({ name: 'again' }))
  assert.deepEqual(await payments(again), ['first', 'third'])

  const forsaken = await original.open(await branch.restore({ timeline: 1, name: 'forsaken' }))
  assert.deepEqual(await payments(forsaken), ['first', 'second'])
  await assert.rejects(branch.restore({ timeline: 7 }), /No backup in .* leads to timeline 7/)

  // The first life may go on as well: a copy of it that is made now did not lead to the second.
  await original.takeBackup()
  const anyway = await original.open(await original.restore({ name: 'anyway' }))
  assert.deepEqual(await payments(anyway), ['first', 'second'])

  const { about } = await branch.takeBackup()
  assert.equal(about.timeline, 2)
  assert.deepEqual(await payments(await original.open(await branch.restore({ name: 'anew' }))), ['first', 'third'])
})

async function payments(app: App): Promise<string[]> {
  await app.start()
  await app.settle()
  await app.stop()
  return [...(await postedPayments(app)).keys()].sort()
}

test('an instant that is not kept is refused with what is', async (t) => {
  const original = await openBackedUp(t)
  const early = await original.now()
  await assert.rejects(
    original.restore(),
    /There is no backup in .*: name the directory that `millrace backup` wrote to/,
  )
  await original.takeBackup()
  await assert.rejects(
    original.restore({ at: early }),
    /The oldest backup in .* ends at 20.*: --at must not be before that/,
  )
  await assert.rejects(
    original.restore({ at: new Date('2099-01-01T00:00:00Z') }),
    /^UsageError: The kept WAL ends before 2099-01-01T00:00:00.000Z/,
  )
})

test('who was erased after a backup is erased in whatever is restored from it', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  await app.start()
  await app.pay({ key: 'one', customer: 'jane', description: 'for jane alone' })
  await app.pay({ key: 'two', customer: 'joan', description: 'for joan alone' })
  await app.settle()
  await original.takeBackup()
  const destroyed = await app.app.eraseCustomer('main', 'jane')
  assert.ok(destroyed > 0)
  await app.stop()

  const restored = await original.restore()
  assert.ok(restored.erasedAgain > 0)
  const after = await original.open(restored)
  const alive = (of: App) =>
    of.rows<{ subject: string }>('select subject from vault.data_key where salt is not null order by key_id')
  assert.deepEqual(await alive(after), await alive(app))
  assert.deepEqual((await alive(after)).length > 0, true)

  // Nor does a payment bring her back that was accepted before the restore and is repeated after it.
  await after.start()
  await after.pay({ key: 'three', customer: 'jane', description: 'again' })
  await after.settle()
  const erased = `select count(*)::int as n from vault.erasure e
    join vault.data_key k on k.tenant = e.tenant and k.subject = e.subject and k.salt is not null`
  assert.deepEqual(await after.rows(erased), [{ n: 0 }])
})

test('what lived on the database that was cannot write to the one restored, and its open calls are in doubt', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  const running = await app.start()
  const oldLife = [...running.log.leases.of('payments.decide')]
  assert.ok(oldLife.length > 0)
  const created = `insert into delivery.delivery (id, destination, key, payload, tenant, mode, traceparent, correlation_id, cause_id, created_at)
    values ('d1', 'gateway:gone', 'k', '{}', 'main', 'test', '', '', '', log.now() - interval '2 days')`
  await app.rows(created)
  await original.takeBackup()
  await app.stop()

  const restored = await original.restore()
  assert.equal(restored.doubted, 1)
  const after = await original.open(restored)
  const doubt = `select attempts, first_attempt_at = created_at as "sinceItWasMade" from delivery.delivery where id = 'd1'`
  assert.deepEqual(await after.rows(doubt), [{ attempts: 1, sinceItWasMade: true }])
  const fence = statement('test.fence', 'select log.fence($1, $2::int[], $3::bigint[]) as partition')
  const epochs = oldLife.map(([, epoch]) => epoch)
  const partitions = oldLife.map(([partition]) => partition)
  // However often leases have changed hands since the copy was made.
  for (const later of [0n, 1n, 1_000_000n]) {
    const given = ['payments.decide', partitions, epochs.map((epoch) => epoch + later)]
    assert.deepEqual(await after.databases.work.query(fence, given), [])
  }
  assert.deepEqual(await after.rows('select * from log.member'), [])
})

test('WAL that nobody kept in time is told as a gap, and a restore stops before it', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  const first = await original.follow()
  await app.rows('create table filled (n int)')
  await original.takeBackup()
  await app.rows('insert into filled values (1)')
  const between = await original.now()
  await app.rows('insert into filled values (2)')
  await first.caughtUp()
  await first.stop()

  // As a server does that may keep no more of it.
  await app.rows(`select pg_drop_replication_slot('millrace_backup')`)
  for (let segment = 0; segment < 2; segment++) {
    await app.rows('insert into filled select generate_series(1, 1000)')
    await app.rows('select pg_switch_wal()')
  }
  await app.rows('checkpoint')
  const second = await original.follow()
  assert.deepEqual(
    second.reports.map(({ kind }) => kind),
    ['gap', 'following'],
  )
  await app.rows('insert into filled values (3)')
  await second.caughtUp()
  await second.stop()

  await assert.rejects(original.restore(), /The kept WAL lacks the segment 0{7}1\w+ and has later ones/)
  const restored = await original.open(await original.restore({ at: between }))
  assert.deepEqual(await restored.rows('select n from filled'), [{ n: 1 }])
  await original.takeBackup()
  const anew = await original.open(await original.restore())
  assert.deepEqual(await anew.rows('select count(*)::int as n from filled where n = 3'), [{ n: 3 }])
})

test('a PostgreSQL of one’s own is backed up by a user who may replicate, and one who may not is told so in one line', async (t) => {
  const parent = temporaryDirectory()
  t.after(async () => t.after(() => parent.remove()))
  const server = await startOwnServer(t, { fsync: 'off' })
  const owner = openDatabase({ url: server.url, connectionsMax: 1, applicationName: 'test' })
  t.after(() => owner.close())
  await rowsOf(owner, `create role shop login createrole replication password 'of-a-test'`)
  await rowsOf(owner, 'create database shop owner shop')
  const url = new URL(server.url)
  Object.assign(url, { username: 'shop', password: 'of-a-test', pathname: '/shop' })
  const app = await openApp(t, { url: url.href })
  await app.app.seal.checkMasterKey()
  await app.webhook(chargeSucceeded('first'))
  const own = backedUp(t, app, url.href, join(parent.path, 'backups'))
  const following = await own.follow()
  const { about } = await own.takeBackup()
  assert.deepEqual([about.database, about.user], ['shop', 'shop'])
  await app.webhook(chargeSucceeded('second'))
  await following.caughtUp()
  await following.stop()
  // Where it is restored, it is what our own server looks for.
  assert.deepEqual(await payments(await own.open(await own.restore())), ['first', 'second'])

  await rowsOf(owner, 'alter role shop noreplication')
  await assert.rejects(own.takeBackup(), (error: Error) => {
    assert.match(
      error.message,
      /^This PostgreSQL gives no copy of itself to this user: grant REPLICATION .*`millrace export`\.$/,
    )
    return error.name === 'StartFailure'
  })
})

test('a start erases again whom the register beside the data knows and the database does not, before the door opens', async (t) => {
  const directory = temporaryDirectory()
  t.after(async () => t.after(() => directory.remove()))
  const jane = { tenant: 'main', subject: 'person:cus_jane', at: 1_760_000_000_000 }
  await createErasureRegister([join(directory.path, 'erasures.jsonl')]).record(jane)
  // As after a restore of its provider's snapshot.
  const platform = await startTestPlatform(t, { dataDir: directory.path })
  assert.deepEqual(await erasuresIn(platform.app.databases.read), [jane])
})
