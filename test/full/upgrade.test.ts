import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertKept } from '#harness/books'
import { startHttpLoad } from '#harness/http-load'
import { type InstalledProcess, MERCHANT, openInstallation } from '#harness/installation'
import { startLoadBalancer } from '#harness/load-balancer'
import { installCheckout, installRelease, previousRelease } from '#harness/release'
import { until } from '#harness/until'

// The release before this one and this one, each as its package has it, on one PostgreSQL under load: the old one starts,
// the new one migrates beside it, both work, the old one goes, and comes back once more as after a second thought. A
// migration that takes away what the old one uses, locks a table for long, or an event that it cannot read, is met here.

/** For a clone that has commits and no tags. */
const RELEASE_0_1_0 = '0f2cfadd6b644c668b574003577ddd23fc25ce57'

const clients = 6

test('this version and the one before work side by side, whichever of them stays', async (t) => {
  const release = await previousRelease(RELEASE_0_1_0)
  if (release === undefined) return t.skip('skipped: this clone has neither the tag nor the commit of a release before')
  const [old, current] = await Promise.all([installRelease(t, release), installCheckout(t)])
  const installation = await openInstallation(t)
  const balancer = await startLoadBalancer(t)
  installation.reportTo(balancer.url)
  const processes: InstalledProcess[] = []
  const join = async (program: string): Promise<InstalledProcess> => {
    const process = await installation.start({ program })
    processes.push(process)
    balancer.add(process.url)
    await until('it gets requests', () => balancer.isUsed(process.url), 60_000)
    return process
  }
  // Releases up to 0.1.0 close their door as they are asked to stop: whoever sends them traffic ends that first.
  const leave = async (process: InstalledProcess): Promise<void> => {
    balancer.remove(process.url)
    await until('its requests are answered', () => balancer.underWay(process.url) === 0)
    process.signal('SIGTERM')
    assert.equal(await process.ended, 0, process.err())
  }

  const before = await join(old)
  const load = startHttpLoad(t, { url: balancer.url, apiKey: installation.apiKey(), merchant: MERCHANT, clients })
  const more = async (): Promise<void> => {
    const answered = load.payments.size
    await until('payments are answered', () => load.payments.size > answered + 50 || load.failures.length > 0, 60_000)
  }
  await more()
  const after = await join(current)
  await more()
  await leave(before)
  await more()
  await join(old)
  await more()
  await leave(after)
  await more()
  // What only the newer version reads has waited for it.
  await join(current)
  await load.stop()

  assert.deepEqual(load.failures, [])
  assert.deepEqual(balancer.failures, [])
  const alarms = /an event was parked|has halted|met an event of a newer version|request failed/
  assert.deepEqual(
    processes.map(({ err }) => err()).filter((text) => alarms.test(text)),
    [],
  )
  t.diagnostic(
    `${release} and this: ${load.payments.size} payments, the longest wait ${Math.round(load.longestWaitMs())} ms`,
  )
  await assertKept(t, { ...installation, payments: load.payments.values() })
})
