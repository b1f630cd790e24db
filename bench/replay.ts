/**
 * How fast a projection is rebuilt: the balances from a log of entries, in temporary tables beside the live ones; then how
 * long comparing them takes, and how long a swap that finds every row wrong holds the live projection up. CPU is
 * that of Node and PostgreSQL by process accounting.
 *
 *   node bench/replay.ts [--events N] [--accounts N]
 */
import { parseArgs } from 'node:util'
import { fillLedgerTopic } from '#harness/ledger-history'
import { systemClock } from '#kernel/clock'
import { openDatabase } from '#kernel/postgres-database'
import { systemRandom } from '#kernel/random'
import { createHistory, openReplay } from '#log'
import { nodeCpuUs, postgresCpuUs } from './cpu.ts'
import { benchPlatform } from './platform.ts'

const { values } = parseArgs({
  options: { events: { type: 'string', default: '500000' }, accounts: { type: 'string', default: '500' } },
})
const events = Number(values.events)

const platform = await benchPlatform()
const live = openDatabase({ url: platform.url, connectionsMax: 1, applicationName: 'bench', keepsIdle: true })
try {
  await fillLedgerTopic(live, events, Number(values.accounts))
  const { modules } = platform.app
  const history = createHistory({ database: platform.read })
  const seams = { live, history, clock: systemClock, random: systemRandom }
  const replay = await openReplay({ modules, projection: 'ledger.balances', ...seams })
  const rebuilding = await measured(() => replay.catchUp())
  const swapping = await measured(() => replay.swap('bench'))
  let rows = 0n
  const comparing = await measured(async () => {
    rows = (await replay.compare(() => assertNever())).rows
  })
  const each = (us: number): string => (us / events).toFixed(1)
  console.log(`${events} entries: rebuilt in ${rebuilding.seconds.toFixed(1)} s`)
  console.log(
    `  ${(events / rebuilding.seconds).toFixed(0)} events/s, ${each(rebuilding.nodeUs + rebuilding.postgresUs)} µs each`,
  )
  console.log(`  of these Node ${each(rebuilding.nodeUs)}, PostgreSQL ${each(rebuilding.postgresUs)}`)
  const ms = ({ seconds }: { seconds: number }): string => (seconds * 1e3).toFixed(0)
  console.log(
    `${rows} rows, all of them missing: swapped in ${ms(swapping)} ms; none wrong: compared in ${ms(comparing)} ms`,
  )
  console.log(`replayed_per_s ${(events / rebuilding.seconds).toFixed(0)}`)
} finally {
  await live.close()
  await platform.stop()
}

async function measured(work: () => Promise<unknown>) {
  const before = { ms: performance.now(), nodeUs: nodeCpuUs(), postgresUs: postgresCpuUs(platform.postmaster) }
  await work()
  return {
    seconds: (performance.now() - before.ms) / 1e3,
    nodeUs: nodeCpuUs() - before.nodeUs,
    postgresUs: postgresCpuUs(platform.postmaster) - before.postgresUs,
  }
}

function assertNever(): never {
  throw new Error('a row differs after the swap')
}
