import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createAppDatabase, openApp, stripeAccount } from '#harness/app'
import { startFront } from '#harness/front'
import { openGateway } from '#harness/gateway'
import { startWorker } from '#harness/processes'
import { until } from '#harness/until'

// The accident: the row that says "sent" was written before the sending; the process died in between, and nothing was
// ever sent. Here the process that delivers is killed by the gateway itself: as the call arrives and before it is
// handled, or when it has been handled and before the answer. With `done` written before the effect the first payment
// is never charged; with a new key for each attempt the second is charged twice.

suite('a process killed in the middle of a call', { concurrency: true }, () => {
  for (const moment of ['before the gateway acts', 'after the gateway has acted'] as const) {
    test(`${moment}: the call is made again, charged once and recorded truly`, async (t) => {
      const { url } = await createAppDatabase(t)
      const gateway = await openGateway(t)
      let kill: (() => Promise<void>) | undefined
      const front = await startFront(t, gateway.account.url ?? '', async (call) => {
        const killing = kill
        kill = undefined
        if (moment === 'before the gateway acts') await killing?.()
        const answer = killing === undefined || moment === 'after the gateway has acted' ? await call() : () => {}
        await killing?.()
        answer()
      })
      const account = stripeAccount({ ...gateway.account, url: front })
      const victim = await startWorker(t, { url, name: 'victim', accounts: [account] })
      kill = victim.kill
      const app = await openApp(t, { url, accounts: [account] })
      const { id } = await app.pay({ key: 'order-1' })
      await until('the victim is dead', () => kill === undefined)
      await app.start()
      await app.settle()

      assert.equal(gateway.intentsOf(id).length, 1)
      assert.deepEqual(await app.rows('select status from payments.payment'), [{ status: 'captured' }])
      const [delivery] = await app.rows<{ state: string; attempts: number }>(
        'select state, attempts from delivery.delivery',
      )
      assert.deepEqual(delivery, { state: 'done', attempts: 2 })
      const attempts = await app.rows('select attempt, outcome from delivery.attempt')
      assert.deepEqual(attempts, [{ attempt: 2, outcome: 'done' }])
    })
  }
})
