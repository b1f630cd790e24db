import { randomBytes } from 'node:crypto'
import type { Database } from '#kernel/database'
import type { Child } from './child.ts'
import type { LedgerSent, LedgerTraffic } from './children/ledger-generator.ts'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import type { HttpPlatform } from './http-platform.ts'
import { checkBooked, projected } from './ledger-books.ts'
import type { LedgerLoad } from './ledger-entries.ts'

/** What is measured, who sends, and who looks. */
export type LedgerBench = {
  readonly platform: HttpPlatform
  readonly generator: Child<LedgerTraffic, LedgerSent>
  readonly books: Database
}

export type LedgerMeasured = {
  /** Of entries: answered, and in balances, statements and blocks too. */
  readonly perSecond: number
  readonly projectedPerSecond: number
  /** CPU of an entry until all projections have it, in microseconds. */
  readonly nodeUs: number
  readonly postgresUs: number
  readonly generatorUs: number
  /** Of a request. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly errors: number
}

/** Sends the load, checks that each of its entries is booked, and says what that took. */
export async function measureLedger(
  { platform, generator, books }: LedgerBench,
  about: Omit<LedgerLoad, 'run'>,
): Promise<{ load: LedgerLoad; measured: LedgerMeasured }> {
  // Ends in a letter: a run of digits that goes on in the entry's number could look like a card's.
  const load = { ...about, run: `${randomBytes(4).toString('hex')}x` }
  const { url, apiKey, postmaster } = platform
  await projected(platform)
  const before = { node: nodeCpuUs(), postgres: postgresCpuUs(postmaster) }
  const sent = await generator.ask({ ...load, url, apiKey })
  await projected(platform)
  const projectedAt = performance.timeOrigin + performance.now()
  const [node, postgres] = [nodeCpuUs() - before.node, postgresCpuUs(postmaster) - before.postgres]
  for (const [error, count] of Object.entries(sent.errors)) console.error(`${count} × ${error}`)
  await checkBooked(books, load)
  const { entries } = load
  const { latenciesMs, begunAt, endedAt, cpuUs, errors } = sent
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN
  const measured = {
    perSecond: entries / ((endedAt - begunAt) / 1000),
    projectedPerSecond: entries / ((projectedAt - begunAt) / 1000),
    nodeUs: node / entries,
    postgresUs: postgres / entries,
    generatorUs: cpuUs / entries,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    errors: Object.values(errors).reduce((sum, count) => sum + count, 0),
  }
  return { load, measured }
}
