import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { issueApiKey, listApiKeys, revokeApiKey } from '#access'
import { sign } from '#gateways/stripe'
import { webhookSecret } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { startOwnServer } from '#harness/own-server'
import { chargeSucceeded } from '#harness/stripe-events'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { masterKeyIn, secretStore } from '../../src/cli/account-secrets.ts'
import { order, startTestPlatform } from './platform.ts'

// A process that is started while the database is down knows its callers, and the secrets of its gateways, by what the
// one before it left sealed on the disk.

const about = { tenant: 'main', mode: 'test', url: undefined, apiKey: undefined } as const
const gateways: Config['gateways'] = {
  simulated: { ...about, gateway: 'simulated', merchant: 'mer_books', webhookSecrets: [] },
  acme: { ...about, gateway: 'stripe', merchant: 'mer_acme', webhookSecrets: [{ secret: 'ACME_HOOK' }] },
}

function directoryOf(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return join(directory.path, 'data')
}

async function setSecret(dataDir: string, url: string): Promise<void> {
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'test' })
  const store = await secretStore(database, await masterKeyIn({ dataDir }))
  await store.set('ACME_HOOK', webhookSecret)
  await database.close()
}

function webhookOf(name: string) {
  const body = JSON.stringify(chargeSucceeded(name))
  const signature = sign(Buffer.from(body), webhookSecret, Math.floor(systemClock.now() / 1000))
  const headers = { 'stripe-signature': signature, 'content-type': 'application/json', authorization: '' }
  return ['POST', '/v1/gateways/stripe/acme/webhooks', { headers, body }] as const
}

test('started with the database down it takes payments and webhooks, and does them when it is back', async (t) => {
  const server = await startOwnServer(t)
  const dataDir = directoryOf(t)
  const settings = { databaseUrl: server.url, dataDir, gateways }
  await setSecret(dataDir, server.url)
  const first = await startTestPlatform(t, settings)
  assert.equal((await first.pay(order, 'before')).status, 202)
  const revoked = await issueApiKey(first.app.databases.read, systemRandom, { tenant: 'main', mode: 'test' })
  await first.app.keys.refresh()
  await first.stop()
  const database = openDatabase({ url: server.url, connectionsMax: 1, applicationName: 'test' })
  t.after(() => database.close())
  const { id = '' } = (await listApiKeys(database)).at(-1) ?? {}
  assert.equal(await revokeApiKey(database, id), true)

  await server.kill()
  const second = await startTestPlatform(t, { ...settings, apiKey: first.apiKey })
  assert.equal(second.isWaiting(), true)
  const taken = await second.pay(order, 'during')
  assert.equal(taken.status, 202)
  assert.equal((await second.request(...webhookOf('reported'))).status, 200)
  const nobody = await second.request('GET', '/v1/payments/x', { headers: { authorization: 'Bearer mr_test_unknown' } })
  assert.deepEqual([nobody.status, nobody.body.code], [401, 'api_key_invalid'])
  const ready = await second.request('GET', '/readyz')
  assert.deepEqual([ready.status, ready.body.spooled], [200, 2])
  // Revoked after the snapshot: it works until the database is asked again.
  const withRevoked = { headers: { authorization: `Bearer ${revoked}` } }
  assert.equal((await second.request('GET', `/v1/payments/${taken.body.id}`, withRevoked)).status, 200)

  await server.restart()
  await until('the rest has started', () => !second.isWaiting(), 30_000)
  await until('the revoked key is refused', async () => {
    return (await second.request('GET', `/v1/payments/${taken.body.id}`, withRevoked)).status === 401
  })
  await until('both are on the log', () => second.app.spool?.status().events === 0)
  await until('the payment is decided', async () => (await second.payment(taken.body.id)).status !== 'pending')
  await until('what the gateway reported is booked', async () => {
    const { body } = await second.request('GET', '/v1/trial-balance')
    return JSON.stringify(body).includes('merchant:mer_acme:payable')
  })
})

test('without a snapshot of the keys a start with the database down fails', async (t) => {
  const databaseUrl = 'postgres://nobody@127.0.0.1:1/none'
  await assert.rejects(startTestPlatform(t, { databaseUrl, dataDir: directoryOf(t) }), /ECONNREFUSED/)
})
