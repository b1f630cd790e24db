import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { enqueue } from '#delivery'
import { type AppUnderTest, openApp } from '#harness/app'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { brandId, type TenantId } from '#kernel/ids'
import { systemRandom } from '#kernel/random'
import { createLedger } from '#ledger'
import { createWakeups, type EventType, startLog } from '#log'
import * as paymentEvents from '#payments/events'

// The accident: in a rolling upgrade the old version met an event of the new one, could not read it, and parked it as
// poison with all that came after it. A reader that checks data before versions parks here; one that is strict about
// fields it does not know parks too.

test('fields and types that the old version does not know are passed over', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('first'))
  await app.settle()
  // As the next version would write them: a field more, and a type of its own.
  await copyEvent(app, { movement: 'capture/acme/pi_second/EUR', novelty: [1, 'x'] })
  await copyEvent(app, { novelty: true }, { type: 'payment.invented' })
  await app.settle()
  assert.deepEqual(await sources(app), ['pi_first', 'pi_second'])
  assert.deepEqual(app.reports, [])
})

test('an event of a newer version stops its partition with an alert, parks nothing, and the new version goes on', async (t) => {
  const app = await openApp(t)
  await app.start()
  await app.webhook(chargeSucceeded('first'))
  await app.settle()
  await copyEvent(app, { movement: 'capture/acme/pi_newer/EUR' }, { version: 2 })
  await copyEvent(app, { movement: 'capture/acme/pi_behind/EUR' })
  // Every group that reads the event says so, each for itself.
  const groups = ['ledger.post-payments', 'webhooks.fan-out']
  await until('the alerts are given', () => app.reports.length >= groups.length)
  const alerts = app.reports.map((report) => ({ ...report, partition: 0 }))
  const about = { kind: 'partition_stopped', partition: 0, type: 'payment.captured', version: 2 }
  assert.deepEqual(
    alerts.sort((one, other) => (one.group < other.group ? -1 : 1)),
    groups.map((group) => ({ ...about, group })),
  )
  // Other partitions go on all the while.
  await Promise.all(Array.from({ length: 16 }, (_, number) => app.webhook(chargeSucceeded(`other${number}`))))
  await until('others are posted', async () => (await sources(app)).length > 8)
  assert.deepEqual(await app.rows('select * from log.parked_key'), [])
  assert.ok(!(await sources(app)).some((source) => /newer|behind/.test(source)))

  await app.stop()
  const upgraded = await startUpgraded(app)
  t.after(() => upgraded.stop())
  await until('the new version has posted them', async () => {
    const posted = await sources(app)
    return posted.includes('pi_newer') && posted.includes('pi_behind')
  })
})

/** The ledger as the next release would have it: it knows version 2 of a capture. */
function startUpgraded(app: AppUnderTest) {
  const { paymentCaptured } = paymentEvents
  const newer: typeof paymentCaptured = { ...paymentCaptured, version: 2, upcasters: [(data: never) => data] }
  const ledger = createLedger({ ...paymentEvents, paymentCaptured: newer })
  return startLog({
    modules: [ledger],
    database: app.databases.work,
    clock: systemClock,
    random: systemRandom,
    wakeups: createWakeups(),
    process: 'upgraded',
    soloGroups: [],
    enqueue,
    report: () => {},
  })
}

/** Appends the first capture again with some of it changed, as a newer program would. */
async function copyEvent(
  app: AppUnderTest,
  fields: Record<string, unknown>,
  about: { type?: string; version?: number } = {},
): Promise<void> {
  const [first] = await app.rows<Row>(
    `select * from log.event where type = 'payment.captured' order by position limit 1`,
  )
  assert.ok(first)
  const { key, tenant, traceparent, correlation_id: correlationId } = first
  const of: EventType = { ...paymentEvents.paymentCaptured, schema: Type.Unknown(), ...about }
  const place = {
    tenant: brandId<TenantId>(tenant),
    mode: 'test',
    traceparent,
    causationId: null,
    correlationId,
  } as const
  await app.app.door.append([{ id: `evt_copy_${++copies}`, of, key, ...place, data: { ...first.data, ...fields } }])
}

type Row = { key: string; tenant: string; traceparent: string; correlation_id: string; data: Record<string, unknown> }

let copies = 0

async function sources(app: AppUnderTest): Promise<string[]> {
  const rows = await app.rows<{ object: string }>(
    `select split_part(source, '/', 4) as object from ledger.entry order by 1`,
  )
  return rows.map(({ object }) => object)
}
