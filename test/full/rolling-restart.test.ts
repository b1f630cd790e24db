import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertKept } from '#harness/books'
import { startHttpLoad } from '#harness/http-load'
import { type InstalledProcess, MERCHANT, openInstallation } from '#harness/installation'
import { startLoadBalancer } from '#harness/load-balancer'
import { until } from '#harness/until'

// Two processes behind a load balancer that asks `/readyz` and repeats nothing. One after the other is told to stop by
// SIGTERM and replaced, under load. Without the grace, or with a port that closes before `/readyz` says so, requests meet
// a port on which nobody listens.

const clients = 8
const settings = 'drain: { graceSeconds: 1 }'

test('two processes are replaced one after the other under load, without a failed request', async (t) => {
  const installation = await openInstallation(t)
  const balancer = await startLoadBalancer(t)
  installation.reportTo(balancer.url)
  const join = async (): Promise<InstalledProcess> => {
    const process = await installation.start({ settings })
    balancer.add(process.url)
    await until('it gets requests', () => balancer.isUsed(process.url))
    return process
  }
  const processes = [await join(), await join()]
  const load = startHttpLoad(t, { url: balancer.url, apiKey: installation.apiKey(), merchant: MERCHANT, clients })
  const more = async (): Promise<void> => {
    const before = load.payments.size
    await until('payments are answered', () => load.payments.size > before + 50 || load.failures.length > 0)
  }
  await more()
  for (const old of processes) {
    old.signal('SIGTERM')
    await until('the balancer leaves it alone', () => !balancer.isUsed(old.url))
    assert.equal(await old.ended, 0, old.err())
    assert.match(old.out(), /SIGTERM: taking nothing new, ending what is under way …\nStopped\. The data stays\.\n$/)
    balancer.remove(old.url)
    await more()
    await join()
    await more()
  }
  await load.stop()

  assert.deepEqual(load.failures, [])
  assert.deepEqual(balancer.failures, [])
  t.diagnostic(
    `${load.payments.size} payments; the longest wait for a decision: ${Math.round(load.longestWaitMs())} ms`,
  )
  await assertKept(t, { ...installation, payments: load.payments.values() })
})
