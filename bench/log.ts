/**
 * What the log costs: webhooks accepted at the door and booked in the ledger, through the three hops (gateways,
 * payments, ledger) of the modules that `npm start` runs, sealing, schema checks, traces and parking included; beside
 * what PostgreSQL itself takes to COPY the same number of rows in batches of 500. CPU is that of Node and PostgreSQL
 * together, by process accounting. Webhooks are made and signed ahead; HTTP is not part of it.
 *
 *   npm run bench:log [-- --seconds N]
 */
import { parseArgs } from 'node:util'
import { bareCopy } from './bare-copy.ts'
import { benchPlatform } from './platform.ts'
import { type Load, runLoad } from './run-load.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '15' } } })
const seconds = Number(values.seconds)

const loads: Load[] = [
  { name: 'saturation', payments: seconds * 4000, perSecond: undefined },
  { name: '3,000/s', payments: seconds * 3000, perSecond: 3000 },
  { name: '1,000/s', payments: seconds * 1000, perSecond: 1000 },
]

const platform = await benchPlatform()
try {
  await runLoad(platform, { name: 'warm-up', payments: 8000, perSecond: undefined })
  const bare = await bareCopy(platform, seconds * 4000)
  console.log(
    `bare PostgreSQL, COPY of the same rows in batches of 500: ${bare.cpuUs.toFixed(0)} µs a payment, ${bare.rate.toFixed(0)}/s`,
  )
  console.log('')
  console.log('load         posted/s   CPU µs a payment (Node + PostgreSQL)   × bare   accepted → posted p50   p99 ms')
  for (const load of loads) {
    const { rate, nodeUs, postgresUs, p50Ms, p99Ms } = await runLoad(platform, load)
    const total = nodeUs + postgresUs
    const cells = [
      load.name.padEnd(11),
      rate.toFixed(0).padStart(8),
      `${total.toFixed(0)} (${nodeUs.toFixed(0)} + ${postgresUs.toFixed(0)})`.padStart(30),
      (total / bare.cpuUs).toFixed(1).padStart(14),
      p50Ms.toFixed(1).padStart(16),
      p99Ms.toFixed(1).padStart(14),
    ]
    console.log(cells.join('  '))
  }
} finally {
  await platform.stop()
}
