import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { statement } from '#kernel/database'
import type { Child } from './child.ts'
import type { Sent, Traffic } from './children/generator.ts'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import type { HttpPlatform } from './http-platform.ts'

export type Generator = Child<Traffic, Sent>

export type HttpLoad = {
  readonly kind: 'reported' | 'executed'
  readonly payments: number
  /** Undefined: as fast as it goes. */
  readonly perSecond: number | undefined
  readonly merchants: number
}

export type Measured = {
  /** Payments posted a second, from the first request to the last entry. */
  readonly rate: number
  readonly nodeUs: number
  readonly postgresUs: number
  /** What the simulated gateway took, beside it. */
  readonly simulatorUs: number
  /** Write-ahead log and growth of the database, in bytes a payment. */
  readonly diskBytes: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Resident memory of Node at the end, in MB. */
  readonly residentMb: number
}

const IN_FLIGHT = 1024
const POSTED_WITHIN_MS = 120_000

/** Sends the load, waits until every payment of it is posted, and says what that took. Throws if one is missing. */
export async function measure(platform: HttpPlatform, generator: Generator, load: HttpLoad): Promise<Measured> {
  // Ends in a letter: a run of digits that goes on in the payment's number could look like a card's, and be kept away.
  const run = `${randomBytes(4).toString('hex')}x`
  await quiet(platform)
  const before = await state(platform)
  const { url, apiKey } = platform
  const sent = await generator.ask({
    url,
    apiKey,
    run,
    from: 0,
    count: load.payments,
    kind: load.kind,
    perSecond: load.perSecond,
    inFlight: IN_FLIGHT,
    merchants: load.merchants,
  })
  const refused = Object.entries(sent.refused)
  if (refused.length > 0) throw new Error(`refused: ${refused.map(([status, n]) => `${status} × ${n}`).join(', ')}`)
  const postedAt =
    load.kind === 'reported' ? await reported(platform, run, load.payments) : await executed(platform, sent)
  const after = await state(platform)

  const latencies = [...sent.answeredAt.map((at, n) => (postedAt[n] ?? Number.NaN) - at)].sort(
    (one, other) => one - other,
  )
  const lastPostedAt = postedAt.reduce((last, at) => Math.max(last, at), 0)
  return {
    rate: load.payments / ((lastPostedAt - before.at) / 1000),
    nodeUs: (after.nodeUs - before.nodeUs) / load.payments,
    postgresUs: (after.postgresUs - before.postgresUs) / load.payments,
    simulatorUs: (after.simulatorUs - before.simulatorUs) / load.payments,
    diskBytes: (after.diskBytes - before.diskBytes) / load.payments,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    residentMb: process.memoryUsage.rss() / 1024 / 1024,
  }
}

const EVENTS = statement(
  'bench.events',
  `select coalesce(sum(h.next_offset), 0) as appended, coalesce(sum(h.next_offset - k.next_offset), 0) as unread
   from log.checkpoint k join log.partition h on h.topic = k.topic and h.partition = k.partition`,
)

/** Waits until the load before is over: a gateway's last webhooks come after the entries that were waited for. */
export async function quiet({ read }: HttpPlatform): Promise<void> {
  for (let before = -1n; ; ) {
    const [events] = await read.query<{ appended: bigint; unread: bigint }>(EVENTS)
    if (events?.unread === 0n && events.appended === before) return
    before = events?.appended ?? 0n
    await sleep(500)
  }
}

const DISK = statement(
  'bench.disk',
  `select (select wal_bytes from pg_stat_wal)::float8 + pg_database_size(current_database())::float8 as bytes`,
)

async function state({ read, postmaster, simulator }: HttpPlatform) {
  const [disk] = await read.query<{ bytes: number }>(DISK)
  const { cpuUs: simulatorUs } = await simulator.ask({ cpu: true })
  const at = performance.timeOrigin + performance.now()
  return { at, nodeUs: nodeCpuUs(), postgresUs: postgresCpuUs(postmaster), simulatorUs, diskBytes: disk?.bytes ?? 0 }
}

const CAPTURES = statement('bench.captures', `select count(*) as n from ledger.entry where purpose = 'capture'`)
const REPORTED = statement(
  'bench.reported',
  `select substring(source from 'pi_' || $1 || '([0-9]+)')::int as n,
     extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 as at
   from ledger.entry where purpose = 'capture' and source like '%/capture/bench/pi\\_' || $1 || '%'`,
)
/** Instants at which the payments of a run were posted, in Unix milliseconds. */
export async function reported(platform: HttpPlatform, run: string, count: number): Promise<Float64Array> {
  const rows = await allThere(platform, count, () => platform.read.query<{ n: number; at: number }>(REPORTED, [run]))
  const postedAt = new Float64Array(count).fill(Number.NaN)
  for (const { n, at } of rows) postedAt[n] = at
  return postedAt
}

const EXECUTED = statement(
  'bench.executed',
  `select w.id, extract(epoch from pg_xact_commit_timestamp(e.xmin))::float8 * 1000 as at
   from unnest($1::text[]) as w (id)
   join ledger.entry e on e.source >= w.id || '/capture/' and e.source < w.id || '/capture0'`,
)
export async function executed(platform: HttpPlatform, { ids }: Sent): Promise<Float64Array> {
  const rows = await allThere(platform, ids.length, () =>
    platform.read.query<{ id: string; at: number }>(EXECUTED, [ids]),
  )
  const at = new Map(rows.map((row) => [row.id, row.at]))
  return Float64Array.from(ids, (id) => at.get(id) ?? Number.NaN)
}

/** Waits while entries still come in, then asks for those of the run; every payment must have its own. */
async function allThere<Row>({ read }: HttpPlatform, count: number, ask: () => Promise<Row[]>): Promise<Row[]> {
  const deadline = performance.now() + POSTED_WITHIN_MS
  for (let before = -1n; ; ) {
    const [captures] = await read.query<{ n: bigint }>(CAPTURES)
    const entries = captures?.n ?? 0n
    if (entries === before) {
      const rows = await ask()
      if (rows.length === count) return rows
      if (rows.length > count || performance.now() > deadline) {
        throw new Error(`${rows.length} of ${count} payments were posted`)
      }
    }
    before = entries
    await sleep(100)
  }
}
