import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowsOf } from '#harness/app'
import { archiveAll, openArchive } from '#harness/archive'
import { canaries, findCanariesBelow } from '#harness/canaries'
import { until } from '#harness/until'
import { detailsContext } from '#intake'
import { brandId, type TenantId } from '#kernel/ids'
import { archivedEventsNamed, gaps } from '#log'
import { verifyArchive } from '#log/archive'
import { order, startTestPlatform } from './platform.ts'

const DAY_MS = 24 * 60 * 60_000

test('what is old is dropped from the log, found in the archive, and never passed over in silence', async (t) => {
  const archive = openArchive(t)
  const platform = await startTestPlatform(t)
  const { read: database } = platform.app.databases
  const { body: old } = await platform.pay({ ...order, customer: canaries.email, description: canaries.name }, 'old')
  await platform.paymentThatIs('captured', old.id)
  const place = (await platform.request('GET', '/v1/events?limit=1')).body.next_cursor
  await isQuiet()

  // Forty days later.
  await rowsOf(database, `update log.record set time = time - interval '40 days'`)
  await rowsOf(database, `update payments.payment set created_at = created_at - interval '40 days'`)
  const done = await archiveAll(database, archive, 30 * DAY_MS)
  assert.ok(done.archived > 5 && done.dropped === done.archived && done.restored === 0, JSON.stringify(done))
  assert.deepEqual(await rowsOf(database, 'select count(*)::int as n from log.record'), [{ n: 0 }])
  assert.deepEqual(await gaps(database), [])
  assert.deepEqual((await verifyArchive(database, archive)).findings, [])

  // The payment itself is as it was; what happened to it is not here any more, and nobody is given a part of it for all.
  const { body: young } = await platform.pay(order, 'young')
  await platform.paymentThatIs('captured', young.id)
  await isQuiet()
  assert.equal((await platform.request('GET', `/v1/payments/${old.id}`)).body.status, 'captured')
  const gone = [`/v1/payments/${old.id}/events`, `/v1/events?cursor=${place}`]
  for (const path of gone) {
    const { status, body } = await platform.request('GET', path)
    assert.deepEqual([status, body.code], [410, 'events_archived'], path)
  }
  const accept = { accept: 'text/event-stream', 'last-event-id': String(place) }
  assert.equal((await platform.request('GET', '/v1/events', { headers: accept })).status, 410)
  const { data } = (await platform.request('GET', '/v1/events')).body
  assert.ok(Array.isArray(data) && data.length > 3 && data.every(({ subject }) => subject === young.id))
  assert.equal((await platform.request('GET', `/v1/payments/${young.id}/events`)).status, 200)

  // It is asked for again under its key, and is the same payment.
  assert.equal(
    (await platform.pay({ ...order, customer: canaries.email, description: canaries.name }, 'old')).body.id,
    old.id,
  )

  assert.deepEqual(findCanariesBelow(archive.directory).findings, [])

  // What is personal can be read out of the archive with the keys, and with the keys gone by nobody.
  const archived = await archivedEventsNamed(database, archive, String(old.id))
  const details = String(Object(archived.find(({ type }) => type === 'payment.requested')?.data).details)
  const open = async () =>
    (await platform.app.seal.open([details], detailsContext(brandId<TenantId>('main'))))[0]?.toString()
  assert.match((await open()) ?? '', new RegExp(canaries.email ?? 'x'))
  assert.ok((await platform.app.eraseCustomer('main', canaries.email ?? '')) > 0)
  assert.equal(await open(), undefined)

  async function isQuiet(): Promise<void> {
    await until('all is read', async () => {
      const [row] = await rowsOf<{ n: number }>(
        database,
        `select coalesce(sum(h.next_offset - k.next_offset), 0)::int as n
         from log.checkpoint k join log.partition h on h.topic = k.topic and h.partition = k.partition`,
      )
      return row?.n === 0
    })
  }
})
