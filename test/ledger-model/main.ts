import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDatabase } from '#harness/database'
import { startTestServer } from '#harness/server'
import { runHistory } from './history/run.ts'
import { huntAll } from './hunt.ts'
import { mutants } from './mutants.ts'
import { runLedgerModel } from './run.ts'

/** `node scripts/run.js test/ledger-model/main.ts [SEED] [--operations N] [--clients N] [--history] | --mutants [--only NAME]` */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    operations: { type: 'string' },
    clients: { type: 'string' },
    history: { type: 'boolean' },
    mutants: { type: 'boolean' },
    only: { type: 'string' },
  },
})
const seed = positionals[0] ?? randomBytes(4).toString('hex')
const server = process.env.MILLRACE_TEST_DATABASE_URL === undefined ? await startTestServer() : undefined
process.env.MILLRACE_TEST_DATABASE_URL ??= server?.url
const endings: (() => Promise<void>)[] = []
const t = { after: (work: () => Promise<void>) => void endings.push(work) }
try {
  process.exitCode = (await (values.mutants ? runMutants() : values.history ? checkHistory() : runModel())) ? 0 : 1
} finally {
  for (let next = endings.shift(); next; next = endings.shift()) await next()
  await server?.stop()
}

async function runModel(): Promise<boolean> {
  const { url: databaseUrl } = await createDatabase(t)
  const load = {
    seed,
    operations: Number(values.operations ?? 20_000),
    clients: Number(values.clients ?? 64),
    bulkMax: 60,
  }
  const { lines, wrong } = await runLedgerModel(t, { ...load, databaseUrl, platforms: 2, rounds: 10 })
  for (const line of [...lines, ...wrong.slice(0, 20).map((what) => `WRONG ${what}`)]) say(line)
  return wrong.length === 0
}

async function checkHistory(): Promise<boolean> {
  const { url: databaseUrl } = await createDatabase(t)
  const { line, anomalies } = await runHistory(t, { databaseUrl, seed, operations: Number(values.operations ?? 5_000) })
  say(line)
  for (const of of Map.groupBy(anomalies, ({ kind }) => kind).values())
    for (const { kind, what } of of.slice(0, 5)) say(`WRONG ${kind}: ${what}`)
  return anomalies.length === 0
}

async function runMutants(): Promise<boolean> {
  const wanted = mutants.filter(({ name }) => values.only === undefined || name.includes(values.only))
  return (await huntAll(join(import.meta.dirname, '../..'), wanted, say)).length === 0
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
