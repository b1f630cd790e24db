import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { statement } from '#kernel/database'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import { ACCOUNT, type Platform } from './platform.ts'
import { type SignedWebhook, signedWebhook } from './webhooks.ts'

export type Load = {
  readonly name: string
  readonly payments: number /** Undefined: as fast as it goes. */
  readonly perSecond: number | undefined
}

export type LoadResult = {
  readonly rate: number
  readonly nodeUs: number
  readonly postgresUs: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Requests under way at saturation. */
const IN_FLIGHT = 1024

/** Sends the load, waits until every payment of it is posted, and says what that took. Throws if one is missing. */
export async function runLoad(platform: Platform, load: Load): Promise<LoadResult> {
  // Ends in a letter: a run of digits that goes on in the payment's number could look like a card's, and be kept away.
  const run = `${randomBytes(4).toString('hex')}x`
  const webhooks = Array.from({ length: load.payments }, (_, n) => signedWebhook(run, n))
  const acceptedAt = new Float64Array(load.payments)
  const before = { node: nodeCpuUs(), postgres: postgresCpuUs(platform.postmaster), at: performance.now() }

  const accept = async (n: number): Promise<void> => {
    const { body, signature } = webhooks[n] as SignedWebhook
    await platform.app.acceptWebhook({
      gateway: 'stripe',
      account: ACCOUNT,
      body,
      signature,
      traceparent: traceparent(),
    })
    acceptedAt[n] = performance.timeOrigin + performance.now()
  }
  if (load.perSecond === undefined) await flatOut(load.payments, accept)
  else await steadily(load.payments, load.perSecond, accept)
  await allPosted(platform, run, load.payments)

  const seconds = (performance.now() - before.at) / 1000
  const cpu = { node: nodeCpuUs() - before.node, postgres: postgresCpuUs(platform.postmaster) - before.postgres }
  const latencies = await latenciesMs(platform, run, acceptedAt)
  return {
    rate: load.payments / seconds,
    nodeUs: cpu.node / load.payments,
    postgresUs: cpu.postgres / load.payments,
    p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? Number.NaN,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
  }
}

async function flatOut(count: number, accept: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await accept(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

async function steadily(count: number, perSecond: number, accept: (n: number) => Promise<void>): Promise<void> {
  const startedAt = performance.now()
  const underWay: Promise<void>[] = []
  while (underWay.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) / 1000) * perSecond))
    while (underWay.length < due) underWay.push(accept(underWay.length))
    await sleep(2)
  }
  await Promise.all(underWay)
}

const POSTED = statement(
  'bench.posted',
  `select count(*) as n from ledger.entry where source like '%/capture/bench/pi\\_' || $1 || '%'`,
)
const HEAD = statement('bench.head', `select sum(next_offset) as n from log.partition where topic = 'ledger'`)

/** The head of the topic is cheap to watch; the entries of this run are counted once it stands where it should. */
async function allPosted({ read }: Platform, run: string, count: number): Promise<void> {
  posted.total += count
  const deadline = performance.now() + 60_000
  for (;;) {
    const [head] = await read.query<{ n: bigint }>(HEAD)
    if (Number(head?.n ?? 0n) >= posted.total) break
    if (performance.now() > deadline) throw new Error(`only ${head?.n} of ${posted.total} payments were posted in time`)
    await sleep(10)
  }
  const [mine] = await read.query<{ n: bigint }>(POSTED, [run])
  if (Number(mine?.n) !== count) throw new Error(`${mine?.n} of ${count} payments were posted`)
}
const posted = { total: 0 }

const TIMES = statement(
  'bench.commit_times',
  `select substring(source from 'pi_' || $1 || '([0-9]+)')::int as n,
     extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 as at
   from ledger.entry where source like '%/capture/bench/pi\\_' || $1 || '%'`,
)

async function latenciesMs({ read }: Platform, run: string, acceptedAt: Float64Array): Promise<number[]> {
  const rows = await read.query<{ n: number; at: number }>(TIMES, [run])
  return rows.map(({ n, at }) => at - (acceptedAt[n] ?? Number.NaN)).sort((one, other) => one - other)
}

let traces = 0
function traceparent(): string {
  return `00-4bf92f3577b34da6a3ce${(traces++).toString(16).padStart(12, '0')}-00f067aa0ba902b7-01`
}
