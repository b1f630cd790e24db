import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { openDatabases, rowsOf } from '#harness/app'
import { assertKept } from '#harness/books'
import { startFront } from '#harness/front'
import { type InstalledProcess, MERCHANT, openInstallation } from '#harness/installation'
import { type Answer, type Received, startReceiver } from '#harness/receiver'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { brandId, type TenantId } from '#kernel/ids'
import { systemRandom } from '#kernel/random'
import { partitionOf } from '#log'
import { inquiryDue } from '#payments/events'
import * as sql from '../../src/log/sql.ts'
import { scheduleRows } from '../../src/log/timer-row.ts'

// Real processes, of which one is killed, or stopped by SIGSTOP in the middle of a call to the outside and continued after
// another has done its work. With leases that last longer the first test waits in vain; without the fence of a
// deliverer's transaction the stopped process records what is another's by then.

/** A lease ends three seconds after the last heartbeat at the latest, and whoever is left looks every second. */
const takeoverMsMax = 5_000
/** What lay there is done by then: calls and webhooks included, on a machine with other things to do. */
const doneMsMax = 10_000
const settings = "webhooks: { allowHosts: ['127.0.0.1'] }"
const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

suite('two processes, of which one stands still', async () => {
  // What is opened inside a test ends with the suite, as the test's own `after` would not have it.
  const endings: (() => Promise<void>)[] = []
  const ending = { after: (work: () => Promise<void>) => void endings.push(work) }
  after(async () => {
    for (const end of endings) await end()
  })
  let onCall: (call: () => Promise<() => void>) => Promise<void> = async (call) => (await call())()
  let onMessage: (message: Received) => Promise<Answer> = async () => 204
  const installation = await openInstallation(ending, {
    inFrontOf: (url) => startFront(ending, url, (call) => onCall(call)),
  })
  const receiver = await startReceiver(ending, (message) => onMessage(message))
  const { databaseUrl, gateway } = installation
  const databases = openDatabases(databaseUrl)
  ending.after(async () => void (await Promise.all(Object.values(databases).map((database) => database.close()))))
  const rows = <Row extends Record<string, unknown>>(text: string, values: readonly (string | number)[] = []) =>
    rowsOf<Row>(databases.read, text, values)

  const start = async (): Promise<InstalledProcess> => {
    const before = await sharing()
    const process = await installation.start({ settings })
    await until('it has its share', async () => (await sharing()).length > before.length)
    return process
  }
  const sharing = async (): Promise<string[]> => {
    const found = await rows<{ there: string | null }>(`select to_regclass('log.lease')::text as there`)
    if (found[0]?.there == null) return []
    const owners = await rows<{ owner: string }>('select distinct owner from log.lease where owner is not null')
    return owners.map(({ owner }) => owner)
  }
  const ownerOf = async (group: string, partition: number): Promise<string> => {
    const [lease] = await rows<{ owner: string }>('select owner from log.lease where grp = $1 and partition = $2', [
      group,
      partition,
    ])
    return lease?.owner ?? ''
  }
  /** A process names itself after its host, its process id and chance. */
  const isOf = (owner: string, { child }: InstalledProcess): boolean => owner.includes(`-${child.pid}-`)
  const leftOf = async (process: InstalledProcess): Promise<number> =>
    (
      await rows<{ n: number }>('select count(*)::int as n from log.lease where owner like $1', [
        `%-${process.child.pid}-%`,
      ])
    )[0]?.n ?? 0

  let first = await start()
  let second = await start()
  const accepted: string[] = []
  const ask = async (process: InstalledProcess, path: string, key: string, body: object): Promise<{ id: string }> => {
    const headers = { authorization: `Bearer ${installation.apiKey()}`, 'content-type': 'application/json' }
    const init = { method: 'POST', headers: { ...headers, 'idempotency-key': key }, body: JSON.stringify(body) }
    const answer = await fetch(`${process.url}${path}`, init)
    assert.ok(answer.ok, `${path}: ${answer.status}`)
    const told: { id: string } = JSON.parse(await answer.text())
    return told
  }
  const pay = async (process: InstalledProcess, key: string): Promise<string> => {
    const asked = { amount: 1000, currency: 'EUR', merchant: MERCHANT, payment_method: 'pm_sim_approve' }
    const { id } = await ask(process, '/v1/payments', key, asked)
    accepted.push(id)
    return id
  }
  const payMany = (process: InstalledProcess, name: string): Promise<string[]> =>
    Promise.all(Array.from({ length: 32 }, (_, number) => pay(process, `${name}-${number}`)))
  const areCaptured = async (ids: readonly string[]): Promise<boolean> =>
    (await rows('select 1 as one from payments.payment where status = $1', ['captured'])).length >= ids.length
  const isTold = (id: string, type: string): boolean =>
    receiver.taken.some(({ body }) => body.includes(`"${type}"`) && body.includes(id))
  const endpoint = async (process: InstalledProcess, name: string): Promise<string> =>
    (await ask(process, '/v1/webhook-endpoints', name, { url: `${receiver.url}/${name}`, events: ['payment.*'] })).id

  /** Waits until nothing is leased to it, and returns how long that took. */
  const takenOver = async (process: InstalledProcess, sinceMs: number): Promise<number> => {
    await until('all it had is another’s', async () => (await leftOf(process)) === 0, doneMsMax)
    return systemClock.monotonicMs() - sinceMs
  }

  test('killed: its partitions, timers, calls and webhooks are taken over within five seconds', async (t) => {
    installation.reportTo(second.url)
    await endpoint(second, 'all')
    const earlier = await payMany(second, 'earlier')
    await until('they are captured', () => areCaptured(accepted), 30_000)
    assert.ok(isOf(await ownerOf('delivery:gateway:shop', 0), first), 'the first to start calls the gateway')

    first.signal('SIGKILL')
    const killedMs = systemClock.monotonicMs()
    const ms = (): number => Math.round(systemClock.monotonicMs() - killedMs)
    const later = payMany(second, 'later')
    await databases.work.transaction({}, (tx) => sql.schedule(tx, dueNow(earlier)))
    const leasesMs = Math.round(await takenOver(first, killedMs))
    await until('the timers have fired', async () => (await fired()) === earlier.length, doneMsMax)
    const timersMs = ms()
    const ids = await later
    await until('the payments are captured', () => areCaptured(accepted), doneMsMax)
    const callsMs = ms()
    await until('the endpoint is told', () => ids.every((id) => isTold(id, 'payment.captured')), doneMsMax)
    t.diagnostic(`leases ${leasesMs} ms, timers ${timersMs} ms, calls ${callsMs} ms, webhooks ${ms()} ms`)
    assert.ok(leasesMs < takeoverMsMax, `it took ${leasesMs} ms`)
    assert.ok(ms() < doneMsMax, `it took ${ms()} ms`)
    first = second
    second = await start()
  })

  test('stopped while it calls the gateway: another makes the call, and what the first learns is not recorded', async () => {
    assert.ok(isOf(await ownerOf('delivery:gateway:shop', 0), first))
    installation.reportTo(second.url)
    const stopped = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const victim = first
    onCall = async (call) => {
      onCall = async (next) => (await next())()
      const answer = await call()
      victim.signal('SIGSTOP')
      stopped.resolve()
      await goOn.promise
      // It finds the answer when it wakes, and does not know yet that the lease is another's.
      answer()
      victim.signal('SIGCONT')
    }
    const id = await pay(second, 'stopped-in-a-call')
    await stopped.promise
    const stoppedMs = systemClock.monotonicMs()
    assert.ok((await takenOver(first, stoppedMs)) < takeoverMsMax)
    await until('it is captured', () => areCaptured(accepted), doneMsMax)

    goOn.resolve()
    await until('it has a share again', async () => (await leftOf(first)) > 0, doneMsMax)
    const attempts = await rows(
      `select a.attempt, a.outcome from delivery.attempt a join delivery.delivery d on d.id = a.delivery_id
       where d.key = $1 and d.destination = 'gateway:shop' order by 1`,
      [id],
    )
    assert.deepEqual(attempts, [{ attempt: 2, outcome: 'done' }])
    assert.equal(gateway.intentsOf(id).length, 1)
    ;[first, second] = [second, first]
  })

  test('stopped while it calls an endpoint: the message comes again, once, and its end is recorded once', async () => {
    const names = Array.from({ length: 12 }, (_, number) => `one-${number}`)
    const ids = await Promise.all(names.map((name) => endpoint(second, name)))
    const owners = await Promise.all(ids.map((id) => ownerOf('delivery:webhooks', partitionOf(id))))
    const place = owners.findIndex((owner) => isOf(owner, second))
    const [name, victim] = [names[place], ids[place]]
    assert.ok(name && victim, 'it has endpoints of its own')
    const stopped = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let messageId: unknown
    onMessage = async ({ path, headers }) => {
      if (path !== `/${name}` || messageId !== undefined) return 204
      messageId = headers['webhook-id']
      second.signal('SIGSTOP')
      stopped.resolve()
      await goOn.promise
      return 204
    }
    const id = await pay(first, 'stopped-in-a-webhook')
    await stopped.promise
    const stoppedMs = systemClock.monotonicMs()
    assert.ok((await takenOver(second, stoppedMs)) < takeoverMsMax)
    const copies = () =>
      receiver.received.filter(isTo(name)).filter(({ headers }) => headers['webhook-id'] === messageId).length
    await until('it comes again', () => copies() === 2, doneMsMax)
    await until('the others of its payment come after it', () => isTold(id, 'payment.captured'), doneMsMax)

    goOn.resolve()
    const answered = () => receiver.taken.filter(({ headers }) => headers['webhook-id'] === messageId)
    await until('its answer is there when it wakes', () => answered().filter(isTo(name)).length === 2)
    second.signal('SIGCONT')
    await until('it has a share again', async () => (await leftOf(second)) > 0, doneMsMax)
    assert.equal(copies(), 2)
    const twice = await rows(
      `select delivery_id from delivery.attempt a join delivery.delivery d on d.id = a.delivery_id
       where d.destination = $1 and a.outcome = 'done' group by 1 having count(*) > 1`,
      [`webhooks/${victim}`],
    )
    assert.deepEqual(twice, [])
  })

  test('after all of it, each payment was charged once and booked once', async (t) => {
    await assertKept(t, { databaseUrl, gateway, payments: accepted })
  })

  const fired = async (): Promise<number> =>
    (await rows(`select 1 as one from log.record where type = 'payment.inquiry_due'`)).length
})

function isTo(name: string) {
  return ({ path }: Received): boolean => path === `/${name}`
}

/** A question about each payment, due at once: there is nothing to ask any more, but it fires. */
function dueNow(payments: readonly string[]) {
  return scheduleRows(
    payments.map((key) => {
      const about = { tenant: brandId<TenantId>('main'), mode: 'test', traceparent: trace, causationId: null } as const
      const id = `evt_${systemRandom.bytes(16).toString('hex')}`
      const event = { id, of: inquiryDue, key, ...about, correlationId: id, data: {} }
      return { id: `payments/inquiry/main/test/${key}`, at: systemClock.now() - 1_000, event }
    }),
  )
}
