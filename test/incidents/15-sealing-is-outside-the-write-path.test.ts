import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp, traceparent } from '#harness/app'
import { until } from '#harness/until'
import { openDatabase } from '#kernel/postgres-database'
import { verifyLedger } from '#ledger'

// The accident: a ledger's hash chain was written behind one lock, in the transaction that booked, and halved what it could
// take. Here somebody holds every lock there is on the tables of the seal, and on all else that is told of entries
// afterwards, while hundreds are booked by two processes: none of them waits. When the locks are gone the seal catches up, and
// it is whole.

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent }
const AFTERWARDS = ['block', 'open_block', 'line', 'day', 'filed', 'balance']

test('entries are booked while nothing can be sealed, and are sealed afterwards', async (t) => {
  const one = await openApp(t)
  const other = await openApp(t, { url: one.url, process: 'other' })
  await one.start()
  const { accounts } = one.app.ledger
  await accounts.open(whose, { account: 'cash', type: 'asset' }, asked)
  await accounts.open(whose, { account: 'wallet', type: 'liability', floor: 0n }, asked)

  const release = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  const session = { transaction_timeout: '0', idle_in_transaction_session_timeout: '0', lock_timeout: '0' }
  const locker = openDatabase({ url: one.url, connectionsMax: 1, applicationName: 'locker', session })
  t.after(() => locker.close())
  const holding = locker.transaction({}, async (tx) => {
    await tx.script(`lock table ${AFTERWARDS.map((table) => `ledger.${table}`).join(', ')} in access exclusive mode`)
    locked.resolve()
    await release.promise
  })
  await locked.promise
  const outcomes = await Promise.all(
    Array.from({ length: 300 }, (_, n) => {
      const { desk } = (n % 2 ? one : other).app.ledger
      const transfers = [{ debit: 'cash', credit: 'wallet', amount: 1n, currency: 'EUR' }]
      const about = { purpose: 'topup', postings: [], conditions: [], effectiveAt: 1_700_000_000_000 }
      const command = { kind: 'entry', id: `e-${n}`, fingerprint: `${n}`, transfers, ...about } as const
      return desk.submit({ ...whose, ...asked, commands: [command], isLinked: false })
    }),
  )
  assert.ok(outcomes.flat().every(({ status }) => status === 'done'))
  const [booked] = await one.rows('select count(*)::int as n from ledger.entry')
  assert.deepEqual(booked, { n: 300 })

  release.resolve()
  await holding
  await until('all are sealed', async () => {
    const [row] = await one.rows<{ n: number }>(
      `select (select coalesce(sum(entries), 0) from ledger.block)::int
         + (select coalesce(sum(entries), 0) from ledger.open_block)::int as n`,
    )
    return row?.n === 300
  })
  await one.settle()
  const { entries, findings } = await verifyLedger(one.databases.read)
  assert.deepEqual([entries, findings], [300n, []])
})
