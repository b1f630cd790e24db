import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAppDatabase, openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { createPuppet } from '#harness/faults'
import { postedPayments, startLoad } from '#harness/load'
import { startOwnServer } from '#harness/own-server'
import { openTestSpool } from '#harness/spool'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { interfere } from '#harness/wrapped-database'
import { verifyLedger } from '#ledger'

// Accepted is durable, and with the log away it is accepted all the same: what the log cannot take waits in the spool.

test('PostgreSQL is killed under load and stays away: nobody is refused, and all of it is posted once', async (t) => {
  const server = await startOwnServer(t)
  const { spool } = await openTestSpool(t)
  const app = await openApp(t, { url: server.url, spool })
  await app.start()
  const load = startLoad(app, { clients: 24, pauseMs: 5 })
  await until('payments are acknowledged', () => load.acknowledged.size > 200)
  await server.kill()
  const during = load.acknowledged.size + 500
  await until('payments are acknowledged with the database away', () => load.acknowledged.size > during, 20_000)
  await server.restart()
  const after = load.acknowledged.size + 100
  await until('payments are acknowledged with the database back', () => load.acknowledged.size > after, 20_000)
  await load.stop()
  await until('the spool is empty', () => spool.status().events === 0, 20_000)
  await app.settle()

  assert.equal(load.failed(), 0)
  const posted = await postedPayments(app)
  assert.deepEqual(
    [...load.acknowledged].filter((name) => posted.get(name) !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
  const { spooled, drained } = spool.status()
  assert.ok(spooled >= 500 && drained >= spooled, `${spooled} spooled, ${drained} drained`)
})

test('a machine stops with the spool full: whoever lives next drains what was answered', async (t) => {
  const { url } = await createAppDatabase(t)
  const dead = await openTestSpool(t)
  const puppet = createPuppet({ url, name: 'door' })
  const app = await openApp(t, { url, databases: { door: puppet.database }, spool: dead.spool })
  await puppet.kill()
  const names = Array.from({ length: 100 }, (_, n) => `pay${n}`)
  await Promise.all(names.map((name) => app.webhook(chargeSucceeded(name))))
  const elsewhere = temporaryDirectory()
  t.after(() => elsewhere.remove())
  const left = join(elsewhere.path, 'spool')
  cpSync(dead.directory, left, { recursive: true, filter: (path) => !path.endsWith('.lock') })
  app.abandon()

  const next = await openTestSpool(t, { directory: left })
  assert.equal(next.spool.status().events, 100)
  const living = await openApp(t, { url, spool: next.spool })
  await living.start()
  await until('the spool is empty', () => next.spool.status().events === 0)
  await living.settle()
  assert.deepEqual(
    [...(await postedPayments(living)).values()],
    names.map(() => 1),
  )
})

test('the answer to a commit is lost: it waits in the spool too, and counts once', async (t) => {
  const { url } = await createAppDatabase(t)
  const { spool } = await openTestSpool(t)
  const own = createPuppet({ url, name: 'door' })
  t.after(() => own.close())
  let isLost = false
  const door = interfere(own.database, {
    async afterCommit() {
      if (!isLost) return
      isLost = false
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    },
  })
  const app = await openApp(t, { url, databases: { door }, spool })
  await app.start()
  await until(
    'the log is known',
    async () => (await app.webhook(chargeSucceeded('known'))) && spool.status().events === 0,
  )
  const { spooled } = spool.status()
  isLost = true
  await app.webhook(chargeSucceeded('lost'))
  assert.equal(spool.status().spooled, spooled + 1)
  await app.settle()
  await until('the spool is empty', () => spool.status().events === 0)
  await app.settle()
  assert.equal((await postedPayments(app)).get('lost'), 1)
})
