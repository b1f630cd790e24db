import { systemClock } from '#kernel/clock'
import { loadConfig } from '#kernel/config'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { systemFetch } from '#kernel/fetch'
import { StartFailure } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { explainDatabase } from './database-failure.ts'
import {
  type Check,
  count,
  type Finding,
  type Installation,
  type Level,
  type Machine,
  problem,
  warning,
} from './doctor-check.ts'
import { keptChecks, keptMachineChecks } from './doctor-kept.ts'
import { logChecks } from './doctor-log.ts'
import { machineChecks } from './doctor-machine.ts'
import { schemaChecks } from './doctor-schema.ts'
import { DOCTOR_LIMIT, installedServerChecks, serverChecks } from './doctor-server.ts'
import { isPrepared } from './doctor-sql.ts'
import { modulesOf } from './documents.ts'
import { table } from './help.ts'

/** All that is looked at, in the order in which it is told: what needs no database, any database, and one with a Millrace in it. */
const checks: {
  readonly machine: readonly Check<Machine>[]
  readonly server: readonly Check<Installation>[]
  readonly installation: readonly Check<Installation>[]
} = {
  machine: [...machineChecks, ...keptMachineChecks],
  server: serverChecks,
  installation: [...installedServerChecks, ...schemaChecks, ...logChecks, ...keptChecks],
}

export type Told = Finding & { readonly check: string }

const exitCodes: Readonly<Record<Level, number>> = { ok: 0, warning: 1, problem: 2 }

export const doctor: Command = {
  name: 'doctor',
  summary: 'Say what is wrong with this installation, and what to do',
  options: { json: { type: 'boolean', summary: 'As JSON, for machines' } },
  details: [
    'A warning heals by itself or can become a problem; a problem needs somebody. It changes nothing, and works with the',
    'platform down, the database down or a wrong configuration. Exit codes: 0 all is well, 1 warnings, 2 problems.',
  ],
  async run(call) {
    const told = await examine(call)
    if (call.isSet('json')) call.print(JSON.stringify({ findings: told }, null, 2))
    else for (const line of linesOf(told)) call.print(line)
    return Math.max(...told.map(({ level }) => exitCodes[level]))
  },
}

type Looking = Pick<Call, 'cwd' | 'env'> & Partial<Pick<Machine, 'nodeVersion' | 'now'>>

/** Looks at everything that can be looked at. Never throws: what stands in the way is a finding. */
export async function examine(call: Looking): Promise<readonly Told[]> {
  const { nodeVersion = process.versions.node, now = () => systemClock.now() } = call
  const net = systemFetch(systemClock)
  try {
    const config = await loadConfig(call)
    const machine: Machine = { config, nodeVersion, now, fetch: net.fetch }
    return [...(await lookAt(checks.machine, machine)), ...(await examineDatabase(call, machine))]
  } catch (error) {
    return [{ check: 'configuration', ...inTheWay(error) }]
  } finally {
    await net.close()
  }
}

async function examineDatabase(call: Looking, machine: Machine): Promise<readonly Told[]> {
  try {
    const modules = await modulesOf(call)
    return await withDatabase(call, (_database, _config, url) =>
      withShortSessions(url, async (database) => {
        const installation: Installation = { ...machine, database, modules, url }
        const server = await lookAt(checks.server, installation)
        if (await isPrepared(database)) return [...server, ...(await lookAt(checks.installation, installation))]
        const empty = problem('this database holds no Millrace yet', 'run `millrace start` on it')
        return [...server, { check: 'database', ...empty }]
      }),
    )
  } catch (error) {
    return [{ check: 'database', ...inTheWay(error) }]
  }
}

/** Whatever is wrong with the database, the answer comes: a check that takes too long says so. */
async function withShortSessions<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const limits = { session: { transaction_timeout: DOCTOR_LIMIT }, answerTimeoutMs: ANSWER_MS }
  const database = openDatabase({ url, connectionsMax: 2, applicationName: 'millrace doctor', ...limits })
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

const ANSWER_MS = 15_000

/** One after the other, so that they are told in order and none is slow for another's sake. */
async function lookAt<About>(wanted: readonly Check<About>[], about: About): Promise<readonly Told[]> {
  const told: Told[] = []
  for (const { name, look } of wanted) {
    const findings = await look(about).catch((error: unknown) => [isEarlier(error) ? EARLIER : inTheWay(error)])
    told.push(...findings.map((finding) => ({ check: name, ...finding })))
  }
  return told
}

const EARLIER = warning('this version keeps it in tables that are not there yet', 'the next start makes them')

/** The tables are an earlier version's: no table, or no column, of that name. */
function isEarlier(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '42703')
}

/** What a person can put right says so by itself. Of anything else only its kind is told: its words may quote values. */
function inTheWay(error: unknown): Finding {
  const code = error instanceof Error && 'code' in error ? ` ${String(error.code)}` : ''
  const explained = explainDatabase(error)
  if (explained instanceof UsageError || explained instanceof StartFailure) return problem(explained.message)
  return problem(`it could not be looked at (${error instanceof Error ? error.name : 'no error'}${code})`)
}

function linesOf(told: readonly Told[]): string[] {
  const rows = told.map(({ level, check, says, todo }) => [
    level,
    check,
    todo === undefined ? says : `${says} → ${todo}`,
  ])
  const sum = (level: Level): number => told.filter((one) => one.level === level).length
  const bad = `${count(sum('problem'), 'problem')}, ${count(sum('warning'), 'warning')}`
  return [...table(rows, ''), '', `${bad}; ${count(sum('ok'), 'check')} found nothing.`]
}
