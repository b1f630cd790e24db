import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { FetchFailure, systemFetch } from '#kernel/fetch'
import { systemRandom } from '#kernel/random'
import { startReceiver } from './receiver.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

test('what the official library signs is taken, and nothing else is', async (t) => {
  const { receiver, send } = await open(t)
  assert.equal(await send(1), 204)
  assert.equal(await send(2, `whsec_${Buffer.alloc(32, 8).toString('base64')}`), 400)
  const { different, forged } = receiver.tally.counts()
  assert.deepEqual({ different, forged }, { different: 1, forged: 1 })
})

test('every tenth call is answered with an error, and not taken', async (t) => {
  const { receiver, send } = await open(t)
  const statuses: number[] = []
  for (let sequence = 1; sequence <= 20; sequence += 1) statuses.push(await send(sequence))
  assert.deepEqual(
    statuses.flatMap((status, place) => (status === 500 ? [place + 1] : [])),
    [10, 20],
  )
  assert.deepEqual(receiver.tally.missing(20), [10, 20])
})

test('it comes back on the port on which it went down, but not after it was closed', async (t) => {
  const { receiver, send } = await open(t)
  const isRefused = (error: unknown): boolean => error instanceof FetchFailure && error.phase === 'connect'
  await receiver.goDown()
  await assert.rejects(send(1), isRefused)
  await receiver.comeBack()
  assert.equal(await send(1), 204)
  await receiver.close()
  await receiver.comeBack()
  await assert.rejects(send(2), isRefused)
})

test('what it takes in its last moment is not answered', async (t) => {
  const { receiver, send } = await open(t)
  receiver.stopAnswering()
  const sent = send(1)
  const isBroken = assert.rejects(sent, (error) => error instanceof FetchFailure && error.phase === 'after_send')
  await until('it was taken', () => receiver.tally.counts().different === 1)
  await receiver.goDown()
  await isBroken
})

async function open(t: TestContext) {
  const receiver = await startReceiver(systemRandom)
  receiver.trust(SECRET)
  const carrier = systemFetch(systemClock)
  t.after(() => Promise.all([receiver.close(), carrier.close()]))
  const send = async (sequence: number, secret = SECRET): Promise<number> => {
    const body = JSON.stringify({ id: `evt_${sequence}`, subject: 'pay_a' })
    const now = new Date(systemClock.now())
    const headers = {
      'content-type': 'application/json',
      'millrace-sequence': String(sequence),
      'webhook-id': `evt_${sequence}`,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(`evt_${sequence}`, now, body),
    }
    const request = { method: 'POST', url: receiver.url, headers, body, timeoutMs: 5_000 }
    return (await carrier.fetch(request)).status
  }
  return { receiver, send }
}
