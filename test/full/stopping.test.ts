import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type InstalledProcess, MERCHANT, openInstallation } from '#harness/installation'
import { startOwnServer } from '#harness/own-server'
import { systemClock } from '#kernel/clock'

// How `millrace start` ends when it is asked to, as a process: its exit code, its last words, and how long it took. What
// goes on inside: test/flows/a-process-is-asked-to-stop.test.ts.

test('Ctrl-C waits for no load balancer, SIGTERM does', async (t) => {
  const installation = await openInstallation(t)
  const settings = 'drain: { graceSeconds: 3 }'
  const [one, other] = await Promise.all([installation.start({ settings }), installation.start({ settings })])
  const [byHandMs, bySystemMs] = await Promise.all([endingMs(one, 'SIGINT'), endingMs(other, 'SIGTERM')])
  assert.ok(byHandMs < 3_000, `Ctrl-C took ${byHandMs} ms`)
  assert.ok(bySystemMs >= 3_000, `SIGTERM took ${bySystemMs} ms`)
})

test('what has not ended within the limit is told in one line, with exit code 1', async (t) => {
  const installation = await openInstallation(t)
  const platform = await installation.start({ settings: 'drain: { limitSeconds: 2 }' })
  await askHalf(t, platform.url, installation.apiKey())
  platform.signal('SIGTERM')
  assert.equal(await platform.ended, 1)
  assert.equal(
    platform.err(),
    'Stopped after 2 s with something left: requests not answered: 1. The next process goes on with it.\n',
  )
})

test('with the database away it ends in time as well', async (t) => {
  const server = await startOwnServer(t)
  const installation = await openInstallation(t, { databaseUrl: server.url })
  const platform = await installation.start()
  const headers = { authorization: `Bearer ${installation.apiKey()}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ amount: 1000, currency: 'EUR', merchant: MERCHANT, payment_method: 'pm_sim_approve' })
  const pay = (key: string): Promise<Response> =>
    fetch(`${platform.url}/v1/payments`, { method: 'POST', headers: { ...headers, 'idempotency-key': key }, body })
  assert.equal((await pay('one')).status, 202)
  await server.kill()
  await pay('two')
  assert.ok((await endingMs(platform, 'SIGTERM')) < 25_000)
  assert.equal(await platform.ended, 0, platform.err())
})

async function endingMs(process: InstalledProcess, signal: NodeJS.Signals): Promise<number> {
  const askedMs = systemClock.monotonicMs()
  process.signal(signal)
  await process.ended
  return systemClock.monotonicMs() - askedMs
}

/** A request whose end never comes. */
async function askHalf(t: TestContext, url: string, apiKey: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  const headers = ['Host: x', `Authorization: Bearer ${apiKey}`, 'Content-Type: application/json', 'Content-Length: 99']
  socket.write(['POST /v1/payments HTTP/1.1', ...headers, 'Expect: 100-continue', '', ''].join('\r\n'))
  await once(socket, 'data')
}
