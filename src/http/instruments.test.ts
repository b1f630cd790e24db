import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { brandId } from '#kernel/ids'
import { entryPosted } from '#ledger/events'
import type { EventType, NewEvent } from '#log'
import { paymentCaptured, paymentStatusChanged } from '#payments/events'
import { createInstruments, type InstrumentPorts } from './instruments.ts'

function open(ports: InstrumentPorts = {}) {
  const registry = new Registry()
  const instruments = createInstruments(registry, ports)
  /** The lines that tell of a metric, without its buckets. */
  const lines = async (name: string): Promise<string[]> => {
    const text = await registry.metrics()
    return text.split('\n').filter((line) => line.startsWith(`millrace_${name}`) && !line.includes('_bucket{'))
  }
  return { instruments, lines }
}

function fact<Data>(of: EventType<string, Data>, data: NoInfer<Data>): NewEvent {
  const about = { id: 'evt_1', key: 'pay_1', tenant: brandId<NewEvent['tenant']>('main'), mode: 'test' } as const
  return { ...about, of, data, traceparent: '', causationId: null, correlationId: 'evt_1' }
}

function posted(purpose: string, currency: string, amount: bigint): NewEvent {
  const posting = (account: string, minor: bigint) => ({ account, amount: minor.toString(), currency })
  const postings = [posting('gateway:a:receivable', amount), posting('merchant:m:payable', -amount)]
  return fact(entryPosted, { entry: 'ent_1', source: 's', purpose, effectiveAt: 0, postings })
}

test('what a group published is counted by status, purpose and money, without what else it published', async () => {
  const { instruments, lines } = open()
  const money = { movement: 'm', revision: 0, effectiveAt: 0 }
  const captured = fact(paymentCaptured, {
    ...money,
    ...{ account: 'a', merchant: 'mer_1', object: 'pi_1', amount: 1, delta: 1, currency: 'EUR' },
  } as never)
  instruments.report({
    kind: 'handled',
    group: 'payments.decide',
    events: 3,
    published: [captured, captured, fact(paymentStatusChanged, { from: 'pending', to: 'failed' })],
  })
  instruments.report({
    kind: 'handled',
    group: 'ledger.post-payments',
    events: 2,
    published: [posted('capture', 'EUR', 1_000n), posted('fee', 'EUR', 29n), posted('capture', 'JPY', 7n)],
  })
  assert.deepEqual(await lines('payments_decided_total'), [
    'millrace_payments_decided_total{status="captured"} 2',
    'millrace_payments_decided_total{status="failed"} 1',
  ])
  assert.deepEqual(await lines('posted_entries_total'), [
    'millrace_posted_entries_total{purpose="capture"} 2',
    'millrace_posted_entries_total{purpose="fee"} 1',
  ])
  assert.deepEqual(await lines('posted_minor_units_total'), [
    'millrace_posted_minor_units_total{currency="EUR"} 1029',
    'millrace_posted_minor_units_total{currency="JPY"} 7',
  ])
})

test('a delivery is told by the kind of its destination, and its whole time once it has ended', async () => {
  const { instruments, lines } = open()
  const attempt = { group: 'delivery:gateway:acme', ms: 20 }
  instruments.attempted({ ...attempt, outcome: 'retry', sinceFirstMs: 20 })
  instruments.attempted({ ...attempt, outcome: 'done', sinceFirstMs: 2_000 })
  const gateway = 'destination="gateway",outcome'
  assert.deepEqual(await lines('delivery_attempt_seconds'), [
    `millrace_delivery_attempt_seconds_sum{${gateway}="retry"} 0.02`,
    `millrace_delivery_attempt_seconds_count{${gateway}="retry"} 1`,
    `millrace_delivery_attempt_seconds_sum{${gateway}="done"} 0.02`,
    `millrace_delivery_attempt_seconds_count{${gateway}="done"} 1`,
  ])
  assert.deepEqual(await lines('delivery_seconds'), [
    `millrace_delivery_seconds_sum{${gateway}="done"} 2`,
    `millrace_delivery_seconds_count{${gateway}="done"} 1`,
  ])
})

test('money that waits is asked for at each scrape; a currency that waits no more is gone, and no answer keeps the last', async () => {
  const group = 'ledger.post-payments'
  const answers = [[{ group, currency: 'EUR', amount: 5n }], [{ group, currency: 'USD', amount: 7n }]]
  const waiting = async () => answers.shift() ?? Promise.reject(new Error('the database is away'))
  const { lines } = open({ waiting })
  assert.deepEqual(await lines('lag_minor_units'), [`millrace_lag_minor_units{group="${group}",currency="EUR"} 5`])
  const dollars = [`millrace_lag_minor_units{group="${group}",currency="USD"} 7`]
  assert.deepEqual(await lines('lag_minor_units'), dollars)
  assert.deepEqual(await lines('lag_minor_units'), dollars)
})

test('spans are counted on from the scrape before', async () => {
  const counts = { recorded: 3, exported: 1, failed: 0 }
  const { lines } = open({ spans: { counts: () => counts } })
  await lines('spans_total')
  counts.exported = 3
  assert.deepEqual(await lines('spans_total'), [
    'millrace_spans_total{stage="recorded"} 3',
    'millrace_spans_total{stage="exported"} 3',
    'millrace_spans_total{stage="failed"} 0',
  ])
})
