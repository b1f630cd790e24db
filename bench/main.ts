/**
 * What a payment costs from the request to the ledger, over HTTP, with what `npm start` runs: payments reported by a
 * gateway's webhooks, and payments taken by the API and executed at the simulated gateway; beside what PostgreSQL
 * itself takes for the rows. CPU is that of Node and PostgreSQL by process accounting; the load generator and the
 * simulated gateway are processes of their own. Every payment is checked to be posted.
 *
 *   npm run bench [-- --seconds N] [--long PAYMENTS] [--connections N]
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { bareCopy } from './bare-copy.ts'
import { startChild } from './child.ts'
import type { Held, Holding } from './children/connections.ts'
import type { Sent, Traffic } from './children/generator.ts'
import { httpPlatform } from './http-platform.ts'
import { longRun } from './long-run.ts'
import { type HttpLoad, type Measured, measure } from './measure.ts'
import { warmStart } from './warm-start.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    long: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '10000' },
  },
})
const seconds = Number(values.seconds)
const SPREAD = 500

const loads: (HttpLoad & { name: string })[] = (['reported', 'executed'] as const).flatMap((kind) => [
  {
    name: 'saturation',
    kind,
    payments: seconds * (kind === 'reported' ? 3000 : 1000),
    perSecond: undefined,
    merchants: SPREAD,
  },
  { name: '1,000/s', kind, payments: seconds * 1000, perSecond: 1000, merchants: SPREAD },
  { name: '100/s', kind, payments: seconds * 100, perSecond: 100, merchants: SPREAD },
])

const results = new Map<string, Measured>()
const platform = await httpPlatform()
try {
  const generator = await startChild<Traffic, Sent>('generator')
  for (const kind of ['reported', 'executed'] as const) {
    await measure(platform, generator, { kind, payments: 4000, perSecond: undefined, merchants: SPREAD })
  }
  const bare = await bareCopy({ url: platform.databaseUrl, postmaster: platform.postmaster }, seconds * 3000)
  console.log(
    `bare PostgreSQL, COPY of the rows of a reported payment in batches of 500: ${bare.cpuUs.toFixed(0)} µs\n`,
  )
  console.log(
    'payments  load         posted/s   CPU µs a payment (Node + PostgreSQL)   × bare   disk B   p50   p99 ms   gateway µs',
  )
  for (const load of loads) {
    const measured = await measure(platform, generator, load)
    results.set(`${load.kind} ${load.name}`, measured)
    console.log(line(load, measured, bare.cpuUs))
  }

  const spread = { kind: 'executed', payments: seconds * 1000, perSecond: undefined, merchants: SPREAD } as const
  const many = await measure(platform, generator, spread)
  const one = await measure(platform, generator, { ...spread, merchants: 1 })
  console.log(`\nall traffic on one merchant: ${(one.rate / many.rate).toFixed(2)} of the rate of ${SPREAD} merchants`)

  await longRun(platform, generator, Number(values.long))
  await generator.stop()

  const holder = await startChild<Holding, Held>('connections')
  const { hostname: host, port } = new URL(platform.url)
  const held = await holder.ask({ host, port: Number(port), connections: Number(values.connections), rounds: 3 })
  const residentMb = process.memoryUsage.rss() / 1024 / 1024
  console.log(
    `${held.connections} connections: ${held.answers} answers, ${held.errors} errors, Node at ${residentMb.toFixed(0)} MB`,
  )
  await holder.stop()
} finally {
  await platform.stop()
}
console.log(`a warm start is ready after ${(await warmStart()).toFixed(1)} s\n`)
const deliveriesPerSecond = await deliveries()
const total = (name: string): number =>
  (results.get(name)?.nodeUs ?? Number.NaN) + (results.get(name)?.postgresUs ?? Number.NaN)
console.log(`\ncpu_us_per_payment_executed ${total('executed saturation').toFixed(0)}`)
console.log(`cpu_us_per_payment ${total('reported saturation').toFixed(0)}`)
console.log(`p99_ms_at_1000 ${results.get('reported 1,000/s')?.p99Ms.toFixed(0)}`)
console.log(`deliveries_per_s ${deliveriesPerSecond}`)

function line({ kind, name }: HttpLoad & { name: string }, measured: Measured, bareUs: number): string {
  const { rate, nodeUs, postgresUs, diskBytes, p50Ms, p99Ms, simulatorUs } = measured
  return [
    kind.padEnd(8),
    name.padEnd(11),
    rate.toFixed(0).padStart(8),
    `${(nodeUs + postgresUs).toFixed(0)} (${nodeUs.toFixed(0)} + ${postgresUs.toFixed(0)})`.padStart(30),
    ((nodeUs + postgresUs) / bareUs).toFixed(1).padStart(14),
    diskBytes.toFixed(0).padStart(7),
    p50Ms.toFixed(1).padStart(7),
    p99Ms.toFixed(1).padStart(7),
    simulatorUs.toFixed(0).padStart(9),
  ].join('  ')
}

/** The figure of `bench/deliveries.ts`, which runs by itself. */
async function deliveries(): Promise<string> {
  const child = spawn(process.execPath, [new URL('./deliveries.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const data of child.stdout) {
    output += data
    process.stdout.write(data)
  }
  return /deliveries_per_s (\S+)/.exec(output)?.[1] ?? 'unknown'
}
