import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { type Body, order, startTestPlatform, type TestPlatform } from './platform.ts'

/** The balance of an account of the ledger, in minor units. */
async function balanceOf(platform: TestPlatform, account: string): Promise<number> {
  const { accounts } = (await platform.request('GET', '/v1/trial-balance')).body as { accounts: Body[] }
  return Number(accounts.find((one) => one.account === account)?.balance ?? 0)
}

test('a refund that fails and a dispute that is won are undone in the books; a payout is what its file says', async (t) => {
  const platform = await startTestPlatform(t)
  const gateway = platform.gateways.get('simulated')
  assert.ok(gateway)
  const id = String((await platform.pay(order)).body.id)
  await platform.paymentThatIs('captured', id)

  gateway.move({ do: 'refund', amount: 500 }, id)
  await platform.paymentThatIs('partially_refunded', id)
  gateway.move({ do: 'fail_refund' }, id)
  await platform.paymentThatIs('captured', id)

  gateway.move({ do: 'open_dispute', inquiry: true }, id)
  gateway.move({ do: 'escalate_dispute' }, id)
  await platform.paymentThatIs('disputed', id)
  gateway.move({ do: 'respond_dispute' }, id)
  gateway.move({ do: 'win_dispute' }, id)
  await platform.paymentThatIs('captured', id)

  const payout = gateway.payout('EUR')
  const rows = (gateway.settlementFile(payout?.id ?? '') ?? '').trimEnd().split('\r\n').slice(1)
  const nets = rows.map((row) => Number(row.split(',')[6]))
  // Captured less its fee, the refund out and in, the dispute out with its fee, and in.
  assert.deepEqual(nets, [1999 - 58, -500, 500, -1999 - 1500, 1999])
  assert.ok(rows.every((row) => row.split(',')[3] === id))
  await until('the payout is booked', async () => (await balanceOf(platform, 'bank:simulated')) === payout?.amount)
  await until('the gateway owes nothing', async () => (await balanceOf(platform, 'gateway:simulated:receivable')) === 0)
})

test('a payment whose 3-D Secure fails has failed, though there is no charge to tell of it', async (t) => {
  const platform = await startTestPlatform(t)
  const id = String((await platform.pay({ ...order, payment_method: 'pm_sim_3ds_required' })).body.id)
  await until('the payer is asked', async () => platform.gateways.get('simulated')?.intentsOf(id).length === 1)
  platform.gateways.get('simulated')?.move({ do: 'fail_3ds' }, id)
  await platform.paymentThatIs('failed', id)
})
