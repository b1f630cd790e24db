import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { startTestServer } from '#harness/server'
import { huntAll } from './hunt.ts'
import { mutants } from './mutants.ts'
import { runSeeds, type Totals } from './run.ts'
import { freshSeeds } from './seeds.ts'

/** `npm run simulate -- SEED… | --seeds N | --mutants [--only NAME]` */
const root = join(import.meta.dirname, '../..')

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string' }, mutants: { type: 'boolean' }, only: { type: 'string' } },
})

const server = await startTestServer()
await settle(server.url)
try {
  const isGood = values.mutants ? await runMutants(values.only) : await runClean(positionals)
  process.exitCode = isGood ? 0 : 1
} finally {
  await server.stop()
}

/** Rows that the server moves by itself would make two runs of a seed differ. */
async function settle(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('alter system set autovacuum = off')
  await client.query('select pg_reload_conf()')
  await client.end()
}

async function runClean(named: readonly string[]): Promise<boolean> {
  const seeds = named.length > 0 ? named : freshSeeds(Number(values.seeds ?? 100))
  const startedAt = performance.now()
  const totals = await runSeeds(root, server.url, seeds)
  const minutes = (performance.now() - startedAt) / 60_000
  for (const { seed, failure } of totals.failed)
    say(`\nseed=${seed} failed: ${failure}\nreplay: npm run simulate -- ${seed}\n`)
  say(summaryOf(totals, minutes))
  return totals.failed.length === 0
}

function summaryOf(totals: Totals, minutes: number): string {
  const { schedules, payments, statements, lockWaits, faults, statementsMin, faultsMin, failed } = totals
  const each = (count: number): string => (count / schedules).toFixed(1)
  return `${schedules} schedules in ${minutes.toFixed(1)} min, ${Math.round(schedules / minutes)} a minute: \
${payments} payments, ${statements} statements (${each(statements)} each, ${statementsMin} at least), \
${lockWaits} lock waits (${each(lockWaits)} each), ${faults} faults (${each(faults)} each, ${faultsMin} at least), \
${failed.length} failed`
}

async function runMutants(only: string | undefined): Promise<boolean> {
  const wanted = mutants.filter(({ name }) => only === undefined || name.includes(only))
  const missed = await huntAll(root, server.url, wanted, say)
  say(`mutants found ${wanted.length - missed.length}/${wanted.length}`)
  return missed.length === 0
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
