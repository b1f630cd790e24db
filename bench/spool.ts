/**
 * PostgreSQL away for a while under load, over HTTP, with what `npm start` runs: half of the requests are payments to
 * execute, half are webhooks that report one. Nobody may be refused, and every payment has to be posted afterwards.
 *
 *   npm run bench:spool [-- --seconds 60] [--rate 500]
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startChild } from './child.ts'
import type { Sent, Traffic } from './children/generator.ts'
import { type HttpPlatform, httpPlatform } from './http-platform.ts'
import { executed, type Generator, measure, quiet, reported } from './measure.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '500' } },
})
const outageSeconds = Number(values.seconds)
const rate = Number(values.rate)
/** Load before and after the outage. */
const MARGIN_S = 5
const MERCHANTS = 500

const platform = await httpPlatform()
try {
  await run(platform)
} finally {
  await platform.stop()
}

async function run(platform: HttpPlatform): Promise<void> {
  const generators = [await startChild<Traffic, Sent>('generator'), await startChild<Traffic, Sent>('generator')]
  const [first, second] = generators as [Generator, Generator]
  await measure(platform, first, { kind: 'executed', payments: 1000, perSecond: undefined, merchants: MERCHANTS })
  await quiet(platform)

  const name = `${randomBytes(4).toString('hex')}x`
  const count = Math.round((rate / 2) * (outageSeconds + 2 * MARGIN_S))
  const { url, apiKey } = platform
  const about = { url, apiKey, run: name, from: 0, count, perSecond: rate / 2, inFlight: 0, merchants: MERCHANTS }
  const load = Promise.all([first.ask({ ...about, kind: 'executed' }), second.ask({ ...about, kind: 'reported' })])
  const waited = await outage(platform)
  const backAt = performance.timeOrigin + performance.now()
  const drainedMs = await drained(platform)
  const [asked, told] = await load
  const refused = [asked, told].flatMap((sent) => Object.entries(sent.refused))
  const postedAt = [...(await executed(platform, asked)), ...(await reported(platform, name, count))]
  const lastMs = postedAt.reduce((last, at) => Math.max(last, at), 0) - backAt

  console.log(`PostgreSQL away for ${outageSeconds} s at ${rate} requests/s, ${2 * count} requests`)
  console.log(
    `  refused                          ${refused.map(([status, n]) => `${status} × ${n}`).join(', ') || '0'}`,
  )
  console.log(`  waited in the spool              ${waited.events} events, ${(waited.bytes / 1e6).toFixed(1)} MB`)
  console.log(`  drained after PostgreSQL was back ${(drainedMs / 1000).toFixed(1)} s`)
  console.log(`  posted, all ${postedAt.length}, after               ${(lastMs / 1000).toFixed(1)} s`)
  console.log(`  Node at ${(process.memoryUsage.rss() / 1024 / 1024).toFixed(0)} MB`)
  for (const generator of generators) await generator.stop()
  if (refused.length > 0 || postedAt.some(Number.isNaN)) process.exitCode = 1
}

/** What waited when PostgreSQL came back. */
async function outage({ crashPostgres, spool }: HttpPlatform): Promise<{ events: number; bytes: number }> {
  await sleep(MARGIN_S * 1000)
  const restart = await crashPostgres()
  await sleep(outageSeconds * 1000)
  const waited = spool?.status() ?? { events: 0, bytes: 0 }
  await restart()
  return waited
}

async function drained({ spool }: HttpPlatform): Promise<number> {
  const startedAt = performance.now()
  while ((spool?.status().events ?? 0) > 0) await sleep(10)
  return performance.now() - startedAt
}
