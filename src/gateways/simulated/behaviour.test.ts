import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSimulatedGateway } from '#harness/simulated-gateway'
import { until } from '#harness/until'
import { FetchFailure } from '#kernel/fetch'
import {
  behaviourNamed,
  behaviourOfAmount,
  behaviourOfMethod,
  behaviours,
  type CallName,
  magicAmounts,
} from './behaviour.ts'
import { listen } from './listen.ts'
import { verbSummaries } from './moves.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/simulator.md'), 'utf8')

const payment = { amount: 1500, currency: 'eur', confirm: true }
const payWith = (paymentMethod: string) => ({ ...payment, payment_method: paymentMethod })
const operation = (name: string) => ({ metadata: { millrace_payment: `pay_${name}` } })

test('docs/simulator.md has every behaviour with its amounts, and no other', () => {
  const amountOf = (call: keyof typeof magicAmounts, digits: number, only: CallName | undefined): string =>
    only === undefined || only === call ? String(magicAmounts[call] + digits) : ''
  const declared = behaviours.map(({ name, only, digits, summary }) => {
    const method = only === 'refund' ? `pm_sim_on_refund_${name}` : `pm_sim_${name}`
    const amounts = [
      amountOf('authorize', digits, only),
      amountOf('capture', digits, only),
      amountOf('refund', digits, only),
    ]
    return [`\`${method}\``, ...amounts, summary].join(' | ')
  })
  assert.deepEqual(rowsOf('Behaviours'), declared)
})

test('docs/simulator.md has everything that can be made to happen, and no other', () => {
  const declared = Object.entries(verbSummaries).map(([verb, summary]) => `\`${verb}\` | ${summary}`)
  assert.deepEqual(rowsOf('What can be made to happen'), declared)
})

test('no two behaviours share a name or an amount', () => {
  assert.equal(new Set(behaviours.map(({ name }) => name)).size, behaviours.length)
  assert.equal(new Set(behaviours.map(({ digits }) => digits)).size, behaviours.length)
})

test('a payment method speaks of the payment, or of what is done with it later', () => {
  assert.equal(behaviourOfMethod('pm_sim_on_refund_timeout_after_charge', 'authorize'), undefined)
  assert.equal(behaviourOfMethod('pm_sim_on_refund_timeout_after_charge', 'refund')?.answer, 'lost')
  assert.equal(behaviourOfMethod('pm_sim_timeout_after_charge', 'refund'), undefined)
  assert.equal(behaviourOfMethod('pm_card_visa', 'authorize'), undefined)
  assert.equal(behaviourNamed('fails', 'authorize'), undefined)
  assert.equal(behaviourNamed('slow_250', 'capture')?.waitMs, 250)
})

test('an amount speaks of the call whose amount it is', () => {
  assert.deepEqual(behaviourOfAmount(9_000_002, 'authorize')?.bank, { declines: 'insufficient_funds' })
  assert.equal(behaviourOfAmount(9_000_002, 'refund'), undefined)
  assert.equal(behaviourOfAmount(8_000_042, 'refund')?.answer, 'error_500')
  assert.equal(behaviourOfAmount(9_000_070, 'authorize'), undefined)
  assert.equal(behaviourOfAmount(undefined, 'capture'), undefined)
})

for (const { name, digits } of behaviours.filter(({ name }) => name.startsWith('decline_'))) {
  test(`${name} declines, by method and by amount`, async (t) => {
    const { call } = await openSimulatedGateway(t)
    const code = name.slice('decline_'.length)
    const own = ['expired_card', 'incorrect_cvc', 'processing_error'].includes(code) ? code : 'card_declined'
    for (const about of [payWith(`pm_sim_${name}`), { ...payment, amount: magicAmounts.authorize + digits }]) {
      const { status, body } = await call('POST', '/v1/payment_intents', about)
      assert.deepEqual([status, body.error.code, body.error.decline_code], [402, own, code])
      assert.equal(body.error.payment_intent.latest_charge.status, 'failed')
    }
  })
}

test('3-D Secure is asked for, and nothing is charged until it is completed', async (t) => {
  const { gateway, call } = await openSimulatedGateway(t)
  const about = { ...payWith('pm_sim_3ds_required'), ...operation('one') }
  const { status, body } = await call('POST', '/v1/payment_intents', about)
  assert.deepEqual([status, body.status, body.latest_charge], [200, 'requires_action', null])
  assert.equal(body.next_action.redirect_to_url.url, `${gateway.url}/3ds/${body.id}`)
  assert.equal((await call('POST', '/control/complete_3ds', { payment: 'pay_one' })).body.data[0].status, 'succeeded')
  assert.equal((await call('POST', '/control/complete_3ds', { payment: 'pay_one' })).status, 400)
})

test('the page of 3-D Secure lets the payer fail it, once', async (t) => {
  const { call } = await openSimulatedGateway(t)
  const { body } = await call('POST', '/v1/payment_intents', payWith('pm_sim_3ds_required'))
  assert.match((await call('GET', `/3ds/${body.id}`)).text, /It is me/)
  assert.match((await call('POST', `/3ds/${body.id}/fail`)).text, /requires_payment_method/)
  assert.match((await call('POST', `/3ds/${body.id}/complete`)).text, /requires_payment_method/)
  const intent = (await call('GET', `/v1/payment_intents/${body.id}`)).body
  assert.equal(intent.last_payment_error.code, 'payment_intent_authentication_failure')
  assert.equal((await call('GET', '/3ds/pi_none')).status, 404)
})

for (const [name, status] of [
  ['3ds_completed', 'succeeded'],
  ['3ds_failed', 'requires_payment_method'],
] as const) {
  test(`${name} ends by itself, after a second`, async (t) => {
    const { gateway, call } = await openSimulatedGateway(t)
    const { body } = await call('POST', '/v1/payment_intents', payWith(`pm_sim_${name}`))
    assert.equal(body.status, 'requires_action')
    gateway.advance(1000)
    assert.equal((await call('GET', `/v1/payment_intents/${body.id}`)).body.status, status)
  })
}

test('a refund is made once under its key, however slow the answer', async (t) => {
  const { call } = await openSimulatedGateway(t)
  const paid = (await call('POST', '/v1/payment_intents', payWith('pm_sim_on_refund_slow_1'))).body
  const about = { charge: paid.latest_charge.id, amount: 500 }
  const [one, other] = [await call('POST', '/v1/refunds', about, 'k'), await call('POST', '/v1/refunds', about, 'k')]
  assert.deepEqual([one.status, one.text], [200, other.text])
})

test('done, then lost or an error: asked again under its key, the answer', async (t) => {
  const { gateway, call } = await openSimulatedGateway(t)
  const failing = payWith('pm_sim_error_500_after_charge')
  assert.equal((await call('POST', '/v1/payment_intents', failing, 'one')).status, 500)
  assert.equal((await call('POST', '/v1/payment_intents', failing, 'one')).body.status, 'succeeded')
  const made = gateway.events().length
  assert.equal((await call('POST', '/v1/payment_intents', payWith('pm_sim_error_500'), 'two')).status, 500)
  assert.equal((await call('POST', '/v1/payment_intents', payWith('pm_sim_error_500'), 'two')).status, 500)
  assert.equal(gateway.events().length, made)
})

test('a payment that times out without charging leaves nothing', async (t) => {
  const { gateway, call } = await openSimulatedGateway(t)
  const lost = call('POST', '/v1/payment_intents', payWith('pm_sim_timeout_before_charge'))
  const ended = assert.rejects(lost, FetchFailure)
  await call('GET', '/healthz')
  await gateway.stop()
  await ended
  assert.equal(gateway.events().length, 0)
})

test('too many requests are turned away once, with the time to come again', async (t) => {
  const { gateway, call } = await openSimulatedGateway(t)
  const about = payWith('pm_sim_rate_limited')
  const { status, headers, body } = await call('POST', '/v1/payment_intents', about, 'one')
  assert.deepEqual([status, headers['retry-after'], body.error.type], [429, '1', 'rate_limit_error'])
  assert.equal(gateway.events().length, 0)
  assert.equal((await call('POST', '/v1/payment_intents', about, 'one')).body.status, 'succeeded')
  assert.equal((await call('POST', '/v1/payment_intents', about, 'one')).body.status, 'succeeded')
  assert.equal(gateway.events().length, 3)
})

test('reordered webhooks come one after the other, the last one first', async (t) => {
  const types: string[] = []
  const receiver = await listen(0, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    types.push(JSON.parse(Buffer.concat(chunks).toString()).type)
    response.writeHead(200).end()
  })
  t.after(receiver.close)
  const { call } = await openSimulatedGateway(t, { webhookUrl: receiver.url, deliver: 'send' })
  await call('POST', '/v1/payment_intents', payWith('pm_sim_reordered_webhooks'))
  await until('all webhooks have come', () => types.length === 3)
  assert.deepEqual(types, ['payment_intent.succeeded', 'charge.succeeded', 'payment_intent.created'])
})

for (const [name, statuses] of [
  ['disputed', ['needs_response']],
  ['disputed_inquiry', ['warning_needs_response']],
  ['disputed_won', ['won']],
  ['disputed_lost', ['lost']],
] as const) {
  test(`${name} comes to ${statuses}`, async (t) => {
    const { gateway, call } = await openSimulatedGateway(t)
    await call('POST', '/v1/payment_intents', { ...payWith(`pm_sim_${name}`), ...operation('one') })
    gateway.advance(2000)
    const { data } = (await call('GET', '/v1/objects?reference=pay_one')).body
    const disputes = data.filter(({ object }: { object: string }) => object === 'dispute')
    assert.deepEqual(
      disputes.map(({ status }: { status: string }) => status),
      statuses,
    )
  })
}

test('a refund that fails later gives the money back to the balance', async (t) => {
  const { gateway, call } = await openSimulatedGateway(t, { feeBasisPoints: 0 })
  const paid = (await call('POST', '/v1/payment_intents', payWith('pm_sim_on_refund_fails'))).body
  const refund = (await call('POST', '/v1/refunds', { charge: paid.latest_charge.id, amount: 500 })).body
  assert.equal(refund.status, 'succeeded')
  gateway.advance(1000)
  const failed = (await call('GET', `/v1/refunds/${refund.id}`)).body
  assert.deepEqual([failed.status, failed.failure_reason], ['failed', 'expired_or_canceled_card'])
  assert.equal((await call('GET', `/v1/charges/${paid.latest_charge.id}`)).body.amount_refunded, 0)
  assert.equal(gateway.payout('eur')?.amount, 1500)
})

test('a decline of a capture, refund or cancel is a refusal, and nothing is done', async (t) => {
  const { call } = await openSimulatedGateway(t)
  const about = { ...payWith('pm_sim_on_cancel_decline_do_not_honor'), capture_method: 'manual' }
  const { body } = await call('POST', '/v1/payment_intents', about)
  const refused = await call('POST', `/v1/payment_intents/${body.id}/cancel`, {})
  assert.deepEqual([refused.status, refused.body.error.code], [400, 'do_not_honor'])
  assert.equal((await call('GET', `/v1/payment_intents/${body.id}`)).body.status, 'requires_capture')
})

/** The rows of the table under a heading, without its cells' padding. */
function rowsOf(heading: string): string[] {
  const [, section = ''] = page.split(`\n## ${heading}\n`)
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim())
      .join(' | '),
  )
}
