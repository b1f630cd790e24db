import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAppDatabase, openApp, traceparent } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { openGateway } from '#harness/gateway'
import { until } from '#harness/until'
import { brandId, type TenantId } from '#kernel/ids'
import { verifyLedger } from '#ledger'
import { findPayments } from '#payments'

// Twelve refunds of one payment. While each is decided, sent, answered and booked, every connection of the process is
// cut once: at the first statement for the first, at the third for the second, and so on, over all that there are from the
// request to the ledger.

const REFUNDS = 12
const AMOUNT = 10

test('each of many refunds is made once, wherever the connections are cut', async (t) => {
  const { url } = await createAppDatabase(t)
  const puppet = createPuppet({ url, name: 'work' })
  t.after(() => puppet.close())
  const gateway = await openGateway(t)
  const app = await openApp(t, { url, databases: { work: puppet.database }, accounts: [gateway.account] })
  gateway.reportTo(app)
  await app.start()
  const { id } = await app.pay({ key: 'order-1' })
  await app.settle()

  const whose = { tenant: brandId<TenantId>('main'), mode: 'test' } as const
  const standings = async () => {
    const [payment] = await findPayments(app.databases.read, [{ ...whose, id }])
    return (payment?.operations ?? []).flatMap(({ call, status }) => (call === 'refund' ? [status] : []))
  }
  for (let nth = 1; nth <= REFUNDS; nth++) {
    puppet.arm({ at: 2 * nth - 1, kind: 'cut' })
    const asked = { payment: id, call: 'refund', idempotencyKey: `refund-${nth}`, body: { amount: AMOUNT } } as const
    await app.app.acceptOperation({ ...whose, ...asked, traceparent })
    await until(`refund ${nth} is made`, async () => {
      const made = await standings()
      return made.length === nth && made.every((status) => status === 'succeeded')
    })
  }
  await app.settle()

  assert.equal(gateway.intentsOf(id)[0]?.latest_charge?.amount_refunded, REFUNDS * AMOUNT)
  const [booked] = await app.rows<{ entries: number; sources: number }>(
    `select count(*)::int as entries, count(distinct source)::int as sources from ledger.entry where purpose = 'refund'`,
  )
  assert.deepEqual(booked, { entries: REFUNDS, sources: REFUNDS })
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
})
