import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from '#harness/app'
import { archiveAll, openArchive } from '#harness/archive'
import { canaries, findCanaries, findCanariesBelow } from '#harness/canaries'
import { flyCanaries } from '#harness/canary-flight'
import { openHttp } from '#harness/http-server'
import { startOwnServer } from '#harness/own-server'
import { openTestSpool } from '#harness/spool'
import { chargeObject, stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'

// The heavy part of test/promises/06-private.test.ts: every canary, and every file below the data directory, of a server
// as `npm start` has it, while it runs and after it was killed; and every row of every table as text, because what
// PostgreSQL compresses in its own way no search of files can read.

test('all canaries in every field are found in no file and no row', async (t) => {
  const server = await startOwnServer(t)
  const { spool, directory } = await openTestSpool(t)
  const app = await openApp(t, { url: server.url, spool })
  const http = await openHttp(t, app)
  const flight = await flyCanaries(http, app, Object.keys(canaries))
  assert.deepEqual(
    [...flight.answers.keys()].filter((status) => status >= 500),
    [],
  )

  await app.rows('checkpoint')
  const running = findCanariesBelow(server.dataDir)
  assert.deepEqual(running.findings, [])
  assert.ok(running.bytes > 30_000_000)

  const tables = await app.rows<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname <> 'information_schema'`,
  )
  for (const { name } of tables) {
    const rows = await app.rows<{ text: string }>(`select string_agg(t::text, e'\\n') as text from ${name} t`)
    assert.deepEqual(findCanaries(name, Buffer.from(rows[0]?.text ?? '')), [])
  }
  assert.deepEqual(findCanaries('log', Buffer.from(http.log() + JSON.stringify(app.reports))), [])

  const archive = openArchive(t)
  assert.ok((await archiveAll(app.databases.read, archive)).archived > 8)
  assert.deepEqual(findCanariesBelow(archive.directory).findings, [])

  // Killed: what is accepted meanwhile lies in the spool. Recovered: what it says of itself then, and what it writes.
  await server.kill()
  for (const [name, canary] of Object.entries(canaries)) {
    const metadata = { [canary.slice(0, 40)]: canary }
    await app.pay({ key: `spooled ${canary}`, customer: canary, payment_method: canary, description: canary, metadata })
    const charge = chargeObject(`spooled${name}`, { description: canary, receipt_email: canary, metadata })
    await app.webhook(stripeEvent('charge.succeeded', charge))
  }
  assert.equal(spool.status().events, 2 * Object.keys(canaries).length)
  const spooled = findCanariesBelow(directory)
  assert.deepEqual(spooled.findings, [])
  assert.ok(spooled.bytes > 20_000)
  await server.restart()
  await until('the spool is empty', () => spool.status().events === 0)
  await app.settle()
  assert.deepEqual(findCanariesBelow(server.dataDir).findings, [])
  assert.deepEqual(findCanaries('log of PostgreSQL', Buffer.from(server.log())), [])
})
