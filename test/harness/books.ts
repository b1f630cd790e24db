import assert from 'node:assert/strict'
import type { SimulatedGateway } from '#gateways/simulated'
import { verifyLedger } from '#ledger'
import { openApp } from './app.ts'

type Ending = { after(work: () => Promise<void>): void }

export type Accepted = {
  readonly databaseUrl: string
  readonly gateway: Pick<SimulatedGateway, 'intentsOf'>
  /** Ids of payments that were answered with a 2xx. */
  readonly payments: Iterable<string>
}

/**
 * Waits until nothing is left to do, and compares what was promised with what there is: each payment accepted is captured,
 * charged once and booked once, the books balance, and nothing is parked.
 */
export async function assertKept(t: Ending, { databaseUrl, gateway, payments }: Accepted): Promise<void> {
  const app = await openApp(t, { url: databaseUrl })
  await app.settle(60_000)
  const accepted = [...payments]
  const captured = await app.rows<{ id: string }>(`select id from payments.payment where status = 'captured'`)
  const known = new Set(captured.map(({ id }) => id))
  assert.deepEqual(
    accepted.filter((id) => !known.has(id)),
    [],
    'accepted, and not captured',
  )
  const charged = accepted.filter((id) => gateway.intentsOf(id).length !== 1)
  assert.deepEqual(charged, [], 'not charged once')
  const booked = await app.rows<{ key: string; n: number }>(
    `select r.key, count(*)::int as n from log.event r
     where r.type = 'ledger.entry_posted' and r.data ->> 'source' like 'capture/%' group by 1`,
  )
  const entries = new Map(booked.map(({ key, n }) => [key, n]))
  assert.deepEqual(
    accepted.filter((id) => entries.get(id) !== 1),
    [],
    'not booked once',
  )
  assert.deepEqual(await app.rows('select * from log.parked_key'), [])
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
}
