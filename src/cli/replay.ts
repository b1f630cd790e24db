import { userInfo } from 'node:os'
import { createModules, schemasOf } from '#app'
import { systemClock } from '#kernel/clock'
import type { Config } from '#kernel/config'
import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { migrate } from '#kernel/migrate'
import { systemRandom } from '#kernel/random'
import { createHistory, openReplay, type Replay, ReplayFailure, type ReplayOptions } from '#log'
import { archivingOf } from './archive.ts'
import type { Call, Command } from './command.ts'
import { withDatabase, withSession } from './connect.ts'
import { progressLine } from './progress.ts'
import { type Selection, selectionOf } from './replay-selection.ts'
import { stopRequest } from './stop-signal.ts'

export const replay: Command = {
  name: 'replay',
  summary: 'Rebuild a projection from the log and compare it with the live one',
  arguments: 'PROJECTION',
  options: {
    compare: {
      type: 'boolean',
      summary: 'Tell every row that differs: what it does anyway, but for a second database',
    },
    swap: { type: 'boolean', summary: "Put the rebuilt rows in the live ones' place" },
    into: { type: 'string', value: 'DATABASE_URL', summary: 'Rebuild into the tables of another, empty database' },
    from: { type: 'string', value: 'TIME', summary: 'Only events since then, as in 2026-11-21T08:00Z; shows the rows' },
    filter: {
      type: 'string',
      value: 'FIELD=VALUE,…',
      summary: 'Only events of this key, type, tenant, mode or partition; shows the rows',
    },
  },
  details: [
    'The live projection goes on, and nothing is changed but by --swap, which is one transaction: readers see the old',
    'rows or the new ones, and what arrives meanwhile is folded behind it. A swap is recorded on the log as',
    'log.projection_swapped. Both are compared at the same offsets. The exit code is 1 when rows differ.',
    'Of a table 1,000 rows that differ are shown, and all are counted. Interrupted it leaves nothing behind; into a second',
    'database, the next run begins anew. Leave the password of that to PGPASSWORD or ~/.pgpass: others see arguments.',
  ],
  async run(call) {
    const selection = selectionOf(call)
    checkTogether(call, selection)
    const stopped = stopRequest(call, 'The live projection is whole: as it was, or swapped.')
    return withDatabase(call, (database, config, url) =>
      withSession(url, (live) =>
        withSecond(call, (second) => run(call, { database, config, live, second, selection, stopped })),
      ),
    )
  },
}

/** A part of the events makes rows to look at. Put in the live ones' place, the rest would be gone. */
function checkTogether(call: Call, selection: Selection | undefined): void {
  const isPart = selection === undefined ? undefined : call.isSet('from') ? '--from' : '--filter'
  for (const option of ['swap', 'compare', 'into']) {
    if (isPart !== undefined && call.isSet(option)) {
      throw new UsageError(`--${option} takes the whole of a projection, and ${isPart} a part of it: leave one out.`)
    }
  }
  if (call.isSet('into') && call.isSet('swap')) {
    throw new UsageError('--swap puts rows into the live projection, and --into leaves it alone: leave one out.')
  }
}

type World = {
  readonly database: Database
  readonly config: Config
  readonly live: Database
  readonly second: Database | undefined
  readonly selection: Selection | undefined
  readonly stopped: AbortSignal
}

async function run(call: Call, world: World): Promise<number> {
  const line = progressLine(process.stderr)
  try {
    const opened = await openReplay({ ...optionsOf(call, world), progress: (progress) => line.show(textOf(progress)) })
    await opened.catchUp(world.stopped)
    line.end()
    if (world.stopped.aborted) {
      call.warn('Stopped. Nothing was changed.')
      return 130
    }
    return await finish(call, world, opened)
  } catch (error) {
    line.end()
    if (!(error instanceof ReplayFailure)) throw error
    call.warn(error.message)
    return 1
  }
}

function optionsOf(call: Call, { database, config, live, second, selection }: World): ReplayOptions {
  const [projection = ''] = call.arguments
  const archiving = archivingOf(config)
  return {
    modules: createModules([], { digest: () => '' }),
    projection,
    live,
    history: createHistory({ database, ...(archiving ? { archive: archiving.archive } : {}) }),
    ...(second ? { second } : {}),
    ...(selection ? { isWanted: selection } : {}),
    clock: systemClock,
    random: systemRandom,
  }
}

function finish(call: Call, { second, selection }: World, opened: Replay): Promise<number> {
  if (selection) return showRows(call, opened)
  if (call.isSet('swap')) return swap(call, opened)
  if (second && !call.isSet('compare')) return tellBuilt(call, opened)
  return compare(call, opened)
}

async function showRows(call: Call, opened: Replay): Promise<number> {
  await opened.rows((table, row) => call.print(`${table} ${row}`))
  return 0
}

async function tellBuilt(call: Call, opened: Replay): Promise<number> {
  call.print(`Rebuilt from ${speedOf(opened)}.`)
  return 0
}

async function swap(call: Call, opened: Replay): Promise<number> {
  const { tables } = await opened.swap(`os:${userInfo().username}`)
  for (const { table, written, removed } of tables) call.print(`${table}: ${written} rows written, ${removed} removed`)
  call.print(`Swapped, after ${speedOf(opened)}.`)
  return 0
}

async function compare(call: Call, opened: Replay): Promise<number> {
  const { rows, differing } = await opened.compare(({ table, key, live, rebuilt }) => {
    call.print(`wrong: ${table} ${key}`)
    call.print(`  live     ${live ?? 'no such row'}`)
    call.print(`  rebuilt  ${rebuilt ?? 'no such row'}`)
  })
  const what = `${rows} rows, rebuilt from ${speedOf(opened)}`
  call.print(differing > 0 ? `${differing} rows differ: ${what}.` : `All the same: ${what}.`)
  return differing > 0 ? 1 : 0
}

function speedOf({ progress: { events, perSecond } }: Replay): string {
  return `${events} events at ${perSecond} a second`
}

function textOf({ events, perSecond, toGo }: Replay['progress']): string {
  return `${events} events, ${perSecond} a second, ${toGo} to go`
}

/** With the schemas of all modules, as their migrations make them. */
async function withSecond<T>(call: Call, work: (second: Database | undefined) => Promise<T>): Promise<T> {
  const url = call.text('into')
  if (url === undefined) return work(undefined)
  if (!/^postgres(ql)?:\/\/\S+$/.test(url))
    throw new UsageError('--into must be an address that begins with postgres://')
  return withSession(url, async (second) => {
    await migrate(second, schemasOf(createModules([], { digest: () => '' })))
    return work(second)
  })
}
