import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '#harness/until'
import { order, startTestPlatform } from './platform.ts'

test('health, readiness, metrics and the AsyncAPI document are there for whoever asks', async (t) => {
  const platform = await startTestPlatform(t)
  const ask = async (path: string) => platform.request('GET', path, { headers: { authorization: '' } })
  assert.deepEqual((await ask('/healthz')).body, { status: 'ok' })
  const ready = (await ask('/readyz')).body
  assert.deepEqual([ready.status, typeof ready.lag_seconds], ['ready', 'number'])

  await platform.paymentThatIs('captured', (await platform.pay(order)).body.id)
  const metrics = async () => String((await ask('/metrics')).body.text)
  await until('the group has caught up', async () => /lag_events\{group="ledger.balances"\} 0\n/.test(await metrics()))
  const text = await metrics()
  assert.match(text, /millrace_accepted_total\{kind="payment",outcome="accepted"\} 1\n/)
  assert.match(text, /millrace_handled_events_total\{group="payments.decide"\} [1-9]/)
  assert.ok(!text.includes('mer_books'))

  const document = (await ask('/asyncapi.json')).body
  assert.equal(document.asyncapi, '3.0.0')
  assert.deepEqual(danglingIn(document), [])
})

/** References in a document that lead nowhere in it. */
function danglingIn(document: unknown): string[] {
  const named = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)
  const at = (path: string): unknown =>
    path.split('/').reduce<unknown>((node, name) => {
      return typeof node === 'object' && node !== null
        ? Object.entries(node).find(([key]) => key === name)?.[1]
        : undefined
    }, document)
  return named.filter((path) => at(path) === undefined)
}
