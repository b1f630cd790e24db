import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertKept } from '#harness/books'
import { startHttpLoad } from '#harness/http-load'
import { type InstalledProcess, MERCHANT, openInstallation } from '#harness/installation'
import { startLoadBalancer } from '#harness/load-balancer'
import { until } from '#harness/until'

// Two processes under load, one of which is killed by SIGKILL and replaced, twenty times in a row, wherever it happens to
// be: between accepting and answering, in a transaction, in a call to the gateway. Clients repeat what was not answered
// under the same key. Promises 1 to 3: what was answered is there, once, and the books balance.

const kills = 20
const clients = 8

test('processes are killed twenty times under load, and every payment answered is charged and booked once', async (t) => {
  const installation = await openInstallation(t)
  const balancer = await startLoadBalancer(t)
  installation.reportTo(balancer.url)
  const join = async (): Promise<InstalledProcess> => {
    const process = await installation.start()
    balancer.add(process.url)
    await until('it gets requests', () => balancer.isUsed(process.url))
    return process
  }
  let [next, other] = [await join(), await join()]
  const apiKey = installation.apiKey()
  const load = startHttpLoad(t, { url: balancer.url, apiKey, merchant: MERCHANT, clients, isRepeating: true })
  let hit = 0
  for (let kill = 1; kill <= kills; kill++) {
    const answered = load.payments.size
    await until(`payments are answered before kill ${kill}`, () => load.payments.size > answered + 20, 60_000)
    await until('it has something under way', () => balancer.underWay(next.url) > 0)
    hit += balancer.underWay(next.url)
    next.signal('SIGKILL')
    await next.ended
    balancer.remove(next.url)
    ;[next, other] = [other, await join()]
  }
  await load.stop()

  t.diagnostic(`${load.payments.size} payments, ${hit} requests under way at a kill, ${load.failures.length} repeated`)
  assert.ok(load.failures.length >= kills, 'the kills were felt')
  assert.equal(new Set(load.payments.values()).size, load.payments.size)
  await assertKept(t, { ...installation, payments: load.payments.values() })
})
