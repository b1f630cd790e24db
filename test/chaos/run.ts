import { appendFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { collect } from './audit/collect.ts'
import type { Finding, Told } from './audit/evidence.ts'
import { found } from './audit/found.ts'
import { judge } from './audit/judge.ts'
import { askCommands } from './command.ts'
import { openClient } from './load/client.ts'
import { type Follower, startFollower } from './load/follower.ts'
import { type Load, startLoad } from './load/load.ts'
import { type Struck, startOrdeal } from './ordeal.ts'
import type { Planned } from './plan.ts'
import { untilQuiet } from './quiet.ts'
import { failuresOf, lineOf, linesOf, type Report } from './report.ts'
import { startWatch } from './watch.ts'
import { buildWorld, type World } from './world.ts'

export type RunOptions = {
  readonly seed: number
  readonly minutes: number
  readonly processes: number
  readonly plan: readonly Planned[]
  readonly paymentsPerSecond: number
  /** Name of a planted bug. */
  readonly mutant?: string
  /** How long what was begun may take to end, and then again all that follows from it; five minutes by default. */
  readonly patienceMs?: number
  /** The directory stays, whatever came of it. */
  readonly isKept?: boolean
  readonly print: (line: string) => void
}

export type Outcome = {
  readonly report: Report
  /** Why it failed, and what shows it; empty when every promise was kept. The directory is kept then. */
  readonly failures: readonly string[]
  readonly directory: string
}

const PATIENCE_MS = 300_000
const HEARD_MS = 60_000

/** One run: a world is built, load flows, the plan befalls it, all becomes quiet, and an auditor looks. */
export async function runChaos(options: RunOptions): Promise<Outcome> {
  const { seed, minutes, processes, plan, paymentsPerSecond, mutant, patienceMs = PATIENCE_MS, print } = options
  const world = await buildWorld({ seed, processes, mutant })
  try {
    print(`in ${world.directory}`)
    const urls = world.nodes.map(({ url }) => url)
    const client = openClient(urls)
    const follower = startFollower(urls, world.apiKey)
    await follower.isListening
    const watch = startWatch(world)
    const load = startLoad({ seed, perSecond: paymentsPerSecond, client, gateway: world.gateway, apiKey: world.apiKey })
    const startedMs = systemClock.monotonicMs()
    const tell = (struck: Struck): void => print(lineOf(struck))
    const ordeal = startOrdeal({ plan, world, client, tell })
    const [struck] = await Promise.all([ordeal.over, systemClock.sleep(minutes * 60_000)])
    const seconds = Math.round((systemClock.monotonicMs() - startedMs) / 1000)

    print(`${load.begun()} payments begun; waiting for the last of them`)
    const { givenUp } = await load.end(patienceMs)
    const quiet = await becomeQuiet(world, load, follower, patienceMs, print)
    await watch.stop()
    await client.close()
    const others = [
      ...found('Answers', 'payments that never got an answer', givenUp > 0 ? [String(givenUp)] : []),
      ...quiet.findings,
      ...(await endProcesses(world)),
      ...(await askCommands(world)),
    ]
    print('looking at what everybody knows')
    const evidence = await collect({ world, load, followed: quiet.followed, struck, others })
    const report: Report = {
      seed,
      seconds,
      struck: struck.map((one) => ({ ...one, recoveredMs: watch.wholeAfter(one.endedAt) })),
      begun: load.begun(),
      accepted: load.journal.acceptedAt.length,
      postponed: load.journal.postponements(),
      silentMs: longestGap(load.journal.acceptedAt),
      outcomes: client.outcomes(),
      quietMs: quiet.tookMs,
      evidence,
      findings: judge(evidence),
    }
    return await concluded(report, world, options)
  } finally {
    await world.stop()
  }
}

async function becomeQuiet(
  world: World,
  load: Load,
  follower: Follower,
  patienceMs: number,
  print: (line: string) => void,
): Promise<{ findings: Finding[]; followed: Told; tookMs: number }> {
  const startedMs = systemClock.monotonicMs()
  await world.gateway.ask('idle', null)
  let last = ''
  const isQuiet = await untilQuiet(world, patienceMs, (open) => {
    last = Object.entries(open)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')
  })
  const tookMs = systemClock.monotonicMs() - startedMs
  print(`quiet after ${(tookMs / 1000).toFixed(1)} s`)
  // It is told of what there is; how much that is, the auditor knows.
  let heard = -1
  await until(
    'the follower hears nothing new',
    async () => {
      const before = heard
      heard = follower.heard()
      await systemClock.sleep(1_000)
      return before === heard
    },
    HEARD_MS,
  )
  const findings = found(
    'Accepted is durable',
    `not done in time, after ${load.begun()} payments`,
    isQuiet ? [] : [last],
  )
  return { findings, followed: await follower.stop(), tookMs }
}

/** Told to end, a process ends well. */
async function endProcesses({ nodes }: World): Promise<Finding[]> {
  const codes = await Promise.all(nodes.map(async ({ process }) => [process.name, await process.end()] as const))
  const cases = codes.filter(([, code]) => code !== 0).map(([name, code]) => `${name}: exit code ${code}`)
  return found('Isolated', 'processes that did not end well when they were told to', cases)
}

async function concluded(report: Report, world: World, { isKept, print }: RunOptions): Promise<Outcome> {
  const failures = failuresOf(report)
  const lines = [...linesOf(report), '', ...(failures.length === 0 ? ['Every promise was kept.'] : failures)]
  for (const line of lines) print(line)
  const { directory } = world
  await world.stop()
  appendFileSync(join(directory, 'report.txt'), `${lines.join('\n')}\n`)
  if (failures.length === 0 && !isKept) await rm(directory, { recursive: true, force: true })
  return { report, failures, directory }
}

function longestGap(instants: readonly number[]): number {
  return instants.reduce((longest, at, place) => Math.max(longest, at - (instants[place - 1] ?? at)), 0)
}
