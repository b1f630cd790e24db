/**
 * What an entry costs that a caller asks for over HTTP, with what `npm start` runs: alone and a thousand to a request, on
 * accounts far apart and on one that everybody uses, with and without a floor; beside what PostgreSQL itself takes to COPY the
 * same rows. CPU is that of Node and PostgreSQL by process accounting, until balances, statements and blocks have the
 * entry too; the load generator is a process of its own. Every entry has to be booked, and every balance right.
 *
 *   npm run bench:ledger [-- --seconds N] [--accounts N] [--long ENTRIES] [--only TEXT]
 *
 * `--long` books so many more in bulk, and compares what single ones cost before and behind them; `--only` measures the
 * loads whose line begins with the text.
 */
import { parseArgs } from 'node:util'
import { startChild } from './child.ts'
import type { LedgerSent, LedgerTraffic } from './children/ledger-generator.ts'
import { copiedEntries } from './copied-entries.ts'
import { httpPlatform } from './http-platform.ts'
import { checkBalances, openAccounts, openBooks } from './ledger-books.ts'
import type { LedgerLoad } from './ledger-entries.ts'
import { type LedgerMeasured, measureLedger } from './measure-ledger.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    accounts: { type: 'string', default: '10000' },
    long: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
  },
})
const seconds = Number(values.seconds)
const accounts = Number(values.accounts)
const FILLED_AT_ONCE = 100_000

type Case = Omit<LedgerLoad, 'run'>
const spread: Case = {
  entries: seconds * 3_000,
  clients: 256,
  bulk: 1,
  perSecond: undefined,
  accounts,
  isHot: false,
  hasFloor: false,
}
const kinds = [
  { isHot: false, hasFloor: false },
  { isHot: true, hasFloor: false },
  { isHot: false, hasFloor: true },
  { isHot: true, hasFloor: true },
]
const cases: Case[] = [
  ...kinds.map((kind) => ({ ...spread, ...kind, clients: 1, entries: seconds * 200 })),
  ...kinds.map((kind) => ({ ...spread, ...kind, clients: 32, entries: seconds * 2_000 })),
  ...kinds.map((kind) => ({ ...spread, ...kind })),
  ...kinds.map((kind) => ({ ...spread, ...kind, bulk: 1_000, clients: 1, entries: seconds * 8_000 })),
  ...kinds.map((kind) => ({ ...spread, ...kind, bulk: 1_000, clients: 4, entries: seconds * 8_000 })),
  ...kinds.map((kind) => ({ ...spread, ...kind, perSecond: 500, entries: seconds * 500 })),
]

const platform = await httpPlatform()
const generator = await startChild<LedgerTraffic, LedgerSent>('ledger-generator')
const books = openBooks(platform)
const loads: LedgerLoad[] = []
const results = new Map<string, LedgerMeasured>()
let errors = 0
try {
  await openAccounts(platform, books, accounts)
  const warmUp = await measured({ ...spread, entries: 20_000 })
  const limit = await copiedEntries(platform, warmUp.load)
  console.log(
    `the same rows copied, a thousand entries to a commit: ${limit.cpuUs.toFixed(0)} µs an entry, ${limit.perSecond.toFixed(0)}/s\n`,
  )
  console.log(
    'entries      accounts          clients  entries/s  of limit  projected/s  CPU µs an entry (Node + PostgreSQL)  p50     p99 ms  generator µs',
  )
  for (const one of cases) {
    const name = nameOf(one)
    if (!name.startsWith(values.only)) continue
    const { measured: result } = await measured(one)
    results.set(name, result)
    console.log(line(name, result, limit.perSecond))
  }
  if (Number(values.long) > 0) await longRun(Number(values.long), limit.perSecond)
  await checkBalances(books, loads)
  const total = loads.reduce((sum, load) => sum + load.entries, 0)
  console.log(`\n${total} entries, each of them booked, every balance right, ${errors} errors`)
  if (errors > 0) process.exitCode = 1
} finally {
  await books.close()
  await generator.stop()
  await platform.stop()
}
if (results.size === cases.length) {
  const hot = rateOf({ ...spread, isHot: true }) / rateOf(spread)
  const limited = rateOf({ ...spread, isHot: true, hasFloor: true })
  console.log(`one hot account: ${hot.toFixed(2)} of the rate of ${accounts}; with a floor ${limited.toFixed(0)}/s`)
  console.log(`cpu_us_per_entry ${cpuOf(results.get(nameOf(spread))).toFixed(0)}`)
}

async function measured(one: Case) {
  const answer = await measureLedger({ platform, generator, books }, one)
  loads.push(answer.load)
  errors += answer.measured.errors
  return answer
}

/** Whether entries cost, behind so many more, what they cost before. */
async function longRun(entries: number, limit: number): Promise<void> {
  console.log(`\n${entries} entries on ${accounts} accounts`)
  console.log(line(nameOf(spread), (await measured(spread)).measured, limit))
  for (let filled = 0; filled < entries; filled += FILLED_AT_ONCE) {
    const portion = { ...spread, bulk: 1_000, clients: 4, entries: Math.min(FILLED_AT_ONCE, entries - filled) }
    const { measured: result } = await measured(portion)
    if (filled === 0 || filled + FILLED_AT_ONCE >= entries) console.log(line(nameOf(portion), result, limit))
  }
  console.log(line(nameOf(spread), (await measured(spread)).measured, limit))
}

function nameOf({ bulk, isHot, hasFloor, clients, perSecond }: Case): string {
  const kind = `${isHot ? 'hot' : 'spread'}${hasFloor ? ' with floor' : ''}`
  const shape = perSecond === undefined ? (bulk === 1 ? 'single' : 'bulk') : `${perSecond}/s`
  return `${shape.padEnd(11)}  ${kind.padEnd(17)} ${String(clients).padStart(7)}`
}

function rateOf(one: Case): number {
  return results.get(nameOf(one))?.perSecond ?? Number.NaN
}

function cpuOf(result: LedgerMeasured | undefined): number {
  return result ? result.nodeUs + result.postgresUs : Number.NaN
}

function line(name: string, result: LedgerMeasured, limit: number): string {
  const { perSecond, projectedPerSecond, nodeUs, postgresUs, generatorUs, p50Ms, p99Ms } = result
  return [
    name,
    perSecond.toFixed(0).padStart(9),
    (perSecond / limit).toFixed(2).padStart(8),
    projectedPerSecond.toFixed(0).padStart(11),
    `${cpuOf(result).toFixed(0)} (${nodeUs.toFixed(0)} + ${postgresUs.toFixed(0)})`.padStart(28),
    p50Ms.toFixed(1).padStart(12),
    p99Ms.toFixed(1).padStart(8),
    generatorUs.toFixed(0).padStart(10),
  ].join('  ')
}
