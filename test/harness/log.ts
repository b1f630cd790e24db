import { type Database, statement } from '#kernel/database'
import { migrate, type Schema } from '#kernel/migrate'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import { createDoor, createWakeups, registerLog, startLog } from '#log'
import { appendRows, encode } from '../../src/log/codec.ts'
import type {
  Ending,
  Engine,
  LogUnderTest,
  Parked,
  ProcessUnderTest,
  Report,
  Seen,
  StartOptions,
} from '../../src/log/conformance/engine.ts'
import { requestRetry } from '../../src/log/parked.ts'
import * as sql from '../../src/log/sql.ts'
import { createTail, type Tail } from '../../src/log/tail.ts'
import { createDatabase } from './database.ts'
import { createPuppet, type Puppet } from './faults.ts'
import { stickReader } from './stuck-reader.ts'

const folder = (path: string): URL => new URL(path, import.meta.url)

const schemas: readonly Schema[] = [
  { name: 'toy', migrations: folder('./toy/'), role: 'millrace_toy' },
  { name: 'log', migrations: folder('../../src/log/migrations/'), opensTo: ['millrace_toy'] },
  { name: 'delivery', migrations: folder('../../src/delivery/migrations/'), opensTo: ['millrace_toy'] },
]

/** A database with the schemas of the log, of deliveries and of the toy module, gone when the test ends. */
export function createLogDatabase(t: Ending): Promise<{ url: string }> {
  return createDatabase(t, { template: migrateAll, templateName: 'log' })
}

export async function migrateAll(url: string): Promise<void> {
  const database = openDatabase({ url, connectionsMax: 1, applicationName: 'template' })
  await migrate(database, schemas)
  await database.close()
}

/** The log on PostgreSQL: its processes live in this one, each on sessions of its own. */
export const postgresEngine: Engine = {
  async open(t) {
    const { url } = await createLogDatabase(t)
    return openLog(t, url)
  },
}

export function openLog(t: Ending, url: string): LogUnderTest {
  let offsetMs = 0
  const outside = createPuppet({ url, name: 'outside', offsetMs: () => offsetMs })
  const { database } = outside
  // The first process that is started shares its memory with the door, as all do in the platform.
  const door = createDoor(database, createWakeups())
  let isShared = false
  const running = new Set<ProcessUnderTest>()
  t.after(async () => {
    await Promise.all([...running].map((process) => process.stop()))
    await door.close()
    await outside.close()
  })

  return {
    append: (events) => door.append(events),
    appendSlowly: (events, dawdle) =>
      database.transaction({}, async (tx) => {
        await sql.append(tx, appendRows(events.map((event) => encode(event))))
        await dawdle()
      }),
    async start(name, about) {
      const puppet = createPuppet({ url, name, offsetMs: () => offsetMs })
      const { log, reports } = await startProcess(puppet, name, { ...about, tail: isShared ? createTail() : door.tail })
      isShared = true
      const process: ProcessUnderTest = {
        ...puppet,
        reports,
        async stop() {
          if (puppet.isDead() || !running.delete(process)) return
          puppet.thaw()
          await log.stop()
          await puppet.close()
        },
        async kill({ isNoticed } = { isNoticed: true }) {
          await puppet.kill()
          if (isNoticed) await noticeDeath(outside, name)
        },
      }
      running.add(process)
      return process
    },
    async seen(group) {
      const rows = await database.query<{ event: Seen }>(SEEN, [group])
      return rows.map(({ event }) => event)
    },
    parked: () => database.query<Parked>(PARKED),
    async retry(group, key) {
      await requestRetry(database, group, key)
    },
    async retriesOpen() {
      return (await database.query(RETRIES)).length
    },
    lag: (group) => lagOf(database, group),
    stepClock: (byMs) => {
      offsetMs += byMs
    },
    now: () => outside.clock.now(),
    stuckReader: (group) => stickReader(t, { url, group, database }),
  }
}

const SEEN = statement('test.seen', 'select event from toy.seen where grp = $1 order by sequence')
const PARKED = statement(
  'test.parked',
  `select grp as "group", key, (event -> 'data' ->> 'n')::int as n, error from log.parked order by grp, key, sequence`,
)
const RETRIES = statement('test.retries', 'select from log.parked_key where retry_requested_at is not null')
const LAG = statement(
  'test.lag',
  `select coalesce(sum(h.next_offset - c.next_offset), 0)::int as lag
   from log.checkpoint c join log.partition h on h.topic = c.topic and h.partition = c.partition where c.grp = $1`,
)

/** Events that the group has not passed. */
export async function lagOf(database: Database, group: string): Promise<number> {
  const [row] = await database.query<{ lag: number }>(LAG, [group])
  return row?.lag ?? 0
}

async function startProcess(puppet: Puppet, name: string, { modules, tail }: StartOptions & { tail: Tail }) {
  const { database, clock } = puppet
  const reports: Report[] = []
  await registerLog(database, modules, [])
  const log = await startLog({
    modules,
    database,
    clock,
    random: seededRandom(1),
    wakeups: createWakeups(),
    tail,
    process: name,
    soloGroups: [],
    enqueue: async () => {},
    report: (report) => void reports.push(report),
  })
  return { log, reports }
}

/** A dead process's leases and membership run out now instead of in some seconds. */
async function noticeDeath({ database }: Puppet, name: string): Promise<void> {
  await database.query(EXPIRE, [name])
  await database.query(FORGET, [name])
}

const EXPIRE = statement('test.expire', `update log.lease set expires_at = '-infinity' where owner = $1`)
const FORGET = statement('test.forget', 'delete from log.member where process = $1')
