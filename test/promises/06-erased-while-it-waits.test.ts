import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAppDatabase, openApp, rowsOf } from '#harness/app'
import { openTestSpool } from '#harness/spool'
import { until } from '#harness/until'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'

// Private: whoever is erased while a request of theirs waits in a spool stays erased when that is drained. The key it was
// sealed under comes along with it, and is not let in any more.

test('a person erased while their request waits in the spool stays erased', async (t) => {
  const { url } = await createAppDatabase(t)
  const { spool } = await openTestSpool(t)
  const real = openDatabase({ url, connectionsMax: 2, applicationName: 'door' })
  t.after(() => real.close())
  let isAway = true
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const door: Database = {
    ...real,
    transaction: (options, work) => (isAway ? Promise.reject(away) : real.transaction(options, work)),
  }
  const app = await openApp(t, { url, databases: { door }, spool })
  const elsewhere = await openApp(t, { url })
  const { id } = await app.pay({ key: 'order', customer: 'ada@example.com', description: 'a book' })
  const { id: another } = await app.pay({ key: 'other', customer: 'bob@example.com', description: 'a pen' })
  await elsewhere.app.eraseCustomer('main', 'ada@example.com')
  isAway = false
  await app.start()
  await until('the spool is empty', () => spool.status().events === 0)

  const detailsOf = async (payment: string): Promise<string | undefined> => {
    const [row] = await rowsOf<{ sealed: string }>(
      app.databases.read,
      `select data->>'details' as sealed from log.event where key = $1 and type = 'payment.requested'`,
      [payment],
    )
    const [opened] = await app.app.seal.open([row?.sealed ?? ''], 'main/payment.requested/details')
    return opened?.toString()
  }
  assert.equal(await detailsOf(id), undefined)
  assert.match((await detailsOf(another)) ?? '', /a pen/)
})
