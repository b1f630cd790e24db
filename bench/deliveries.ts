/**
 * Webhooks to a receiver on loopback: from events on the log over the stream of an endpoint to the receiver, signed, and
 * recorded with what it answered. At saturation a backlog is appended at once, and the clock runs from the first event
 * to the last attempt on record; at 600 a second each message is timed from its append to its arrival, by the receiver.
 * CPU is that of Node and PostgreSQL by process accounting, and that of the receiver, a process of its own.
 *
 *   node bench/deliveries.ts [--seconds N] [--endpoints N]
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { statement } from '#kernel/database'
import { brandId } from '#kernel/ids'
import type { NewEvent } from '#log'
import { paymentStatusChanged } from '#payments/events'
import { type Child, startChild } from './child.ts'
import type { Asked, Told } from './children/webhook-receiver.ts'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import { benchPlatform, type Platform } from './platform.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, endpoints: { type: 'string', default: '1' } },
})
const seconds = Number(values.seconds)
const endpoints = Number(values.endpoints)
/** Events of one append: what several requests of a moment would bring. */
const APPENDED = 64

const RECORDED = statement('bench.recorded', 'select coalesce(sum(count), 0)::int as n from delivery.settled')
/** Over all runs. */
const delivered = { total: 0 }

const platform = await benchPlatform()
const receiver = await startChild<Asked, Told>('webhook-receiver')
try {
  const { port } = await receiver.ask({ what: 'port' })
  for (let n = 0; n < endpoints; n++) {
    const settings = { url: `http://127.0.0.1:${port}/${n}`, events: ['payment.*'] }
    await platform.app.endpoints.create({ tenant: 'main', mode: 'test' }, settings, { traceparent: traceparent(0) })
  }
  await saturate('w', 5_000)
  console.log('load         delivered/s   CPU µs a delivery (Node + PostgreSQL + receiver)   p50   p95   p99 ms')
  const saturated = await saturate('s', (seconds * 4_000) / endpoints)
  console.log(line('saturation', saturated))
  console.log(line('600/s', await steadily('r', 600 / endpoints, seconds)))
  console.log(`deliveries_per_s ${saturated.rate.toFixed(0)}`)
} finally {
  await receiver.stop()
  await platform.stop()
}

type Measured = { rate: number; nodeUs: number; postgresUs: number; receiverUs: number; latencies: readonly number[] }

async function saturate(run: string, count: number): Promise<Measured> {
  const appendedAt = new Map<string, number>()
  return measured(count, appendedAt, async () => {
    for (let n = 0; n < count; n += APPENDED) {
      await append(run, n, Math.min(count, n + APPENDED), appendedAt)
    }
  })
}

async function steadily(run: string, perSecond: number, forSeconds: number): Promise<Measured> {
  const appendedAt = new Map<string, number>()
  const count = perSecond * forSeconds
  return measured(count, appendedAt, async () => {
    const startedAt = performance.now()
    const underWay: Promise<void>[] = []
    for (let n = 0; n < count; ) {
      const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * perSecond))
      for (; n < due; n++) underWay.push(append(run, n, n + 1, appendedAt))
      await sleep(2)
    }
    await Promise.all(underWay)
  })
}

/** Every message has to arrive, and every attempt to be on record. */
async function measured(
  count: number,
  appendedAt: ReadonlyMap<string, number>,
  load: () => Promise<void>,
): Promise<Measured> {
  const before = await cpuOf(platform, receiver)
  const startedAt = performance.now()
  delivered.total += count * endpoints
  await load()
  await allRecorded(delivered.total)
  const tookS = (performance.now() - startedAt) / 1000
  const { ids, at } = await receiver.ask({ what: 'arrivals' })
  if (ids.length !== count * endpoints) throw new Error(`${ids.length} of ${count * endpoints} messages arrived`)
  const after = await cpuOf(platform, receiver)
  const each = (part: keyof typeof after): number => (after[part] - before[part]) / ids.length
  const latencies = ids.map((id, place) => (at[place] ?? Number.NaN) - (appendedAt.get(id) ?? Number.NaN))
  return {
    rate: ids.length / tookS,
    nodeUs: each('node'),
    postgresUs: each('postgres'),
    receiverUs: each('receiver'),
    latencies: latencies.sort((one, other) => one - other),
  }
}

async function append(run: string, from: number, to: number, appendedAt: Map<string, number>): Promise<void> {
  const events = Array.from({ length: to - from }, (_, place) => eventOf(run, from + place))
  for (const { id } of events) appendedAt.set(id, performance.timeOrigin + performance.now())
  await platform.app.door.append(events)
}

/** Two to a payment: what most of them have. */
function eventOf(run: string, n: number): NewEvent {
  const id = `evt_${run}${n}x`
  return {
    id,
    of: paymentStatusChanged,
    key: `pay_${run}${n >> 1}x`,
    tenant: brandId('main'),
    mode: 'test',
    traceparent: traceparent(n),
    causationId: null,
    correlationId: id,
    data: { from: 'pending', to: 'authorized' },
  }
}

async function allRecorded(count: number): Promise<void> {
  const deadline = performance.now() + 120_000
  for (;;) {
    const [row] = await platform.read.query<{ n: number }>(RECORDED)
    if ((row?.n ?? 0) >= count) return
    if (performance.now() > deadline) throw new Error(`only ${row?.n} of ${count} deliveries were made in time`)
    await sleep(5)
  }
}

async function cpuOf({ postmaster }: Platform, child: Child<Asked, Told>) {
  const { cpuUs } = await child.ask({ what: 'port' })
  return { node: nodeCpuUs(), postgres: postgresCpuUs(postmaster), receiver: cpuUs }
}

function line(name: string, { rate, nodeUs, postgresUs, receiverUs, latencies }: Measured): string {
  const total = nodeUs + postgresUs + receiverUs
  const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? Number.NaN).toFixed(1)
  return [
    name.padEnd(11),
    rate.toFixed(0).padStart(12),
    `${total.toFixed(0)} (${nodeUs.toFixed(0)} + ${postgresUs.toFixed(0)} + ${receiverUs.toFixed(0)})`.padStart(46),
    ...[0.5, 0.95, 0.99].map((share) => at(share).padStart(8)),
  ].join('  ')
}

function traceparent(n: number): string {
  return `00-4bf92f3577b34da6a3ce${n.toString(16).padStart(12, '0')}-00f067aa0ba902b7-00`
}
