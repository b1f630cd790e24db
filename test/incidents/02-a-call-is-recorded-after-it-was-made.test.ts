import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { createAppDatabase, openApp, stripeAccount } from '#harness/app'
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

/** Stands before the gateway: what it does with each call is `act`'s to say. Closes what is not answered. */
async function startFront(
  t: { after(work: () => Promise<void>): void },
  target: string,
  act: (call: () => Promise<() => void>) => Promise<void>,
): Promise<string> {
  const server = createServer((request, response) => void serve(request, response))
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    await act(async () => {
      const { method = 'GET', url = '/', headers } = request
      const sent = Object.entries(headers).flatMap(([name, value]) =>
        typeof value === 'string' && !['host', 'connection', 'content-length'].includes(name) ? [[name, value]] : [],
      )
      const answer = await fetch(new URL(url, target), {
        method,
        headers: Object.fromEntries(sent),
        ...(method === 'POST' ? { body } : {}),
      })
      const told = await answer.text()
      return () => void response.writeHead(answer.status, { 'content-type': 'application/json' }).end(told)
    })
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  return `http://127.0.0.1:${address.port}`
}

async function text(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return body
}
