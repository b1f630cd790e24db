/**
 * What archiving costs: payments reported by webhooks are booked, and then all of the log is archived, dropped, read back as
 * history and brought back for a group that begins anew; on an otherwise idle platform.
 *
 *   node bench/archive.ts [--payments N]
 */
import { parseArgs } from 'node:util'
import { archiveAll, openArchive } from '#harness/archive'
import { systemClock } from '#kernel/clock'
import { statement } from '#kernel/database'
import { createHistory, stretchSince } from '#log'
import { listSegments } from '#log/archive'
import { topicsOf } from '../src/log/runtime.ts'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import { benchPlatform } from './platform.ts'
import { runLoad } from './run-load.ts'

const { values } = parseArgs({ options: { payments: { type: 'string', default: '20000' } } })
const SIZE = statement('bench.size', 'select count(*) as events, sum(octet_length(event)) as bytes from log.record')
const ATTACHED = statement('bench.attached', 'select sum(octet_length(attachment)) as bytes from log.record')
const LEDGER = statement('bench.ledger', `select sum(next_offset) as events from log.partition where topic = 'ledger'`)
const BEGIN = statement('bench.begin', `update log.checkpoint set next_offset = 0 where grp = 'ledger.balances'`)

const platform = await benchPlatform()
const endings: (() => Promise<void>)[] = []
const archive = openArchive({ after: (work) => void endings.push(work) })
try {
  await runLoad(platform, { name: 'load', payments: Number(values.payments), perSecond: undefined })
  const { read, app } = { read: platform.app.databases.work, app: platform.app }
  const [size] = await read.query<{ events: bigint; bytes: bigint }>(SIZE)
  const [attached] = await read.query<{ bytes: bigint | null }>(ATTACHED)
  const [events, bytes] = [Number(size?.events), Number(size?.bytes) + Number(attached?.bytes ?? 0)]

  const archiving = await timed(async () => void (await archiveAll(read, archive)))
  const files = (await listSegments(read)).reduce((sum, segment) => sum + Number(segment.bytes), 0)
  const dropping = await timed(async () => void (await archiveAll(read, archive, 0)))
  const stretch = await stretchSince(read, topicsOf(app.modules), new Date(0))
  let told = 0
  const reading = await timed(async () => {
    for await (const rows of createHistory({ database: read, archive }).read(stretch)) told += rows.length
  })
  await read.query(BEGIN)
  const [back] = await read.query<{ events: bigint }>(LEDGER)
  const restored = Number(back?.events)
  const restoring = await timed(async () => {
    await archiveAll(read, archive)
  })
  console.log(`${events} events of ${(bytes / events).toFixed(0)} bytes, attachments included, ${files} bytes archived`)
  console.log('           events/s   CPU µs an event (Node + PostgreSQL)')
  console.log(lineOf('archived', events, archiving))
  console.log(lineOf('dropped', events, dropping))
  console.log(lineOf('history', told, reading))
  console.log(lineOf('restored', restored, restoring))
} finally {
  await platform.stop()
  for (const ending of endings) await ending()
}

type Spent = { readonly seconds: number; readonly node: number; readonly postgres: number }

async function timed(work: () => Promise<void>): Promise<Spent> {
  const before = { ms: systemClock.monotonicMs(), node: nodeCpuUs(), postgres: postgresCpuUs(platform.postmaster) }
  await work()
  return {
    seconds: (systemClock.monotonicMs() - before.ms) / 1000,
    node: nodeCpuUs() - before.node,
    postgres: postgresCpuUs(platform.postmaster) - before.postgres,
  }
}

function lineOf(name: string, events: number, { seconds, node, postgres }: Spent): string {
  const us = (spent: number): string => (spent / events).toFixed(0)
  const cpu = `${us(node + postgres)} (${us(node)} + ${us(postgres)})`
  return [name.padEnd(10), (events / seconds).toFixed(0).padStart(9), cpu.padStart(16)].join('  ')
}
