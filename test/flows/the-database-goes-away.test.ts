import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer } from '../harness/server.ts'
import { order, startTestPlatform } from './platform.ts'

test('with the database away the door says try again, and readiness says why', async (t) => {
  const server = await startTestServer()
  t.after(() => server.stop())
  const platform = await startTestPlatform(t, { databaseUrl: server.url })
  assert.equal((await platform.pay(order, 'before')).status, 202)

  await server.stop()
  const refused = await platform.pay(order, 'during')
  assert.deepEqual([refused.status, refused.body.code], [503, 'log_unavailable'])
  assert.match(refused.headers['retry-after'] ?? '', /^[1-9][0-9]*$/)
  const asked = await platform.request('GET', '/v1/trial-balance')
  assert.deepEqual([asked.status, asked.body.code], [503, 'database_unavailable'])
  const readiness = await platform.request('GET', '/readyz')
  assert.deepEqual([readiness.status, readiness.body.reasons], [503, ['the database is away']])
  assert.equal((await platform.request('GET', '/healthz')).status, 200)
  assert.equal((await platform.request('GET', '/metrics')).status, 200)
})
