import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type AppUnderTest, createAppDatabase, openApp, rowsOf } from '#harness/app'
import { createPuppet } from '#harness/faults'
import { postedPayments, startLoad } from '#harness/load'
import { startWorker } from '#harness/processes'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { verifyLedger } from '#ledger'

// The accident: a worker died and its jobs stayed claimed for four hours; elsewhere a worker that had only been slow
// came back and did jobs again that another had done. Without leases that expire, the first test waits in vain. Without
// the epoch in log.take the second adds the frozen process's payments to the balances twice, which `verify` finds.

/** A lease of 3 s and a heartbeat of 1 s are four; what else lies with a dead process: test/full/takeover.test.ts. */
const takeoverMsMax = 5_000

// They mostly wait for leases to run out, so they do it together.
suite('work that changes hands', { concurrency: true }, () => {
  test('the work of a process that was killed is taken over within seconds', async (t) => {
    const { url } = await createAppDatabase(t)
    const survivor = await openApp(t, { url })
    const victim = await startWorker(t, { url, name: 'victim' })
    await survivor.start()
    await until(
      'both have their share',
      async () => (await sharesOf(survivor, 'victim')) > 0 && (await unowned(survivor)) === 0,
    )

    const load = startLoad(survivor, { clients: 4, pauseMs: 20 })
    await until('payments are posted', async () => (await postedPayments(survivor)).size > 50)
    await victim.kill()
    const killedMs = systemClock.monotonicMs()
    await until('all work is the survivor’s', async () => (await sharesOf(survivor, 'victim')) === 0)
    const tookMs = systemClock.monotonicMs() - killedMs
    await load.stop()
    await survivor.settle()
    assert.ok(tookMs < takeoverMsMax, `it took ${Math.round(tookMs)} ms`)
    await assertPostedOnce(survivor, load.acknowledged)
  })

  test('a process that was frozen until its work was another’s can commit nothing of it', async (t) => {
    const { url } = await createAppDatabase(t)
    const puppet = createPuppet({ url, name: 'zombie' })
    // Before it is asked to stop: who is frozen does not.
    t.after(async () => puppet.thaw())
    const { database: work, clock } = puppet
    const zombie = await openApp(t, { url, process: 'zombie', databases: { work }, clock })
    t.after(() => puppet.close())
    await zombie.start()
    const load = startLoad(zombie, { clients: 4, pauseMs: 20 })
    await until('payments are posted', async () => (await postedPayments(zombie)).size > 50)
    puppet.freeze()
    const epochs = await rowsOf<{ grp: string; partition: number; epoch: bigint }>(
      zombie.databases.read,
      `select grp, partition, epoch from log.lease where owner = 'zombie'`,
    )
    assert.ok(epochs.length > 0)

    const heir = await openApp(t, { url, process: 'heir' })
    await heir.start()
    await until('all work is the heir’s', async () => (await sharesOf(heir, 'zombie')) === 0)
    await load.stop()
    await heir.settle()
    const posted = await postedPayments(heir)

    // Every epoch that the zombie knows is refused, and so it does nothing from here on.
    for (const { grp, partition, epoch } of epochs) {
      const fenced = await heir.rows('select log.fence($1, $2, $3) as partition', [grp, [partition], [epoch]])
      assert.deepEqual(fenced, [], `${grp} ${partition}`)
    }
    puppet.thaw()
    await until('the zombie has its share again', async () => (await sharesOf(heir, 'zombie')) > 0)
    await heir.settle()
    assert.deepEqual(await postedPayments(heir), posted)
    await assertPostedOnce(heir, load.acknowledged)
  })

  test('a process stopped and continued by the system does nothing twice', async (t) => {
    const { url } = await createAppDatabase(t)
    const app = await openApp(t, { url })
    const worker = await startWorker(t, { url, name: 'stopped' })
    await app.start()
    await until('both have their share', async () => (await sharesOf(app, 'stopped')) > 0 && (await unowned(app)) === 0)
    const load = startLoad(app, { clients: 4, pauseMs: 20 })
    await until('payments are posted', async () => (await postedPayments(app)).size > 50)
    worker.freeze()
    await until('all work is the other’s', async () => (await sharesOf(app, 'stopped')) === 0)
    worker.thaw()
    await until('it has its share again', async () => (await sharesOf(app, 'stopped')) > 0)
    await load.stop()
    await app.settle()
    await assertPostedOnce(app, load.acknowledged)
  })
})

async function assertPostedOnce(app: AppUnderTest, names: ReadonlySet<string>): Promise<void> {
  const posted = await postedPayments(app)
  assert.deepEqual(
    [...names].filter((name) => posted.get(name) !== 1),
    [],
  )
  assert.deepEqual((await verifyLedger(app.databases.read)).findings, [])
}

async function sharesOf(app: AppUnderTest, owner: string): Promise<number> {
  return (
    (await app.rows<{ n: number }>('select count(*)::int as n from log.lease where owner = $1', [owner]))[0]?.n ?? 0
  )
}

/** Of groups that processes here are members of: others, such as the archive's where none is kept, are nobody's. */
async function unowned(app: AppUnderTest): Promise<number> {
  const [row] = await app.rows<{ n: number }>(
    'select count(*)::int as n from log.lease where owner is null and grp in (select grp from log.member)',
  )
  return row?.n ?? 0
}
