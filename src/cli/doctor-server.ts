import { systemClock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { bytesOf, type Check, count, type Installation, ok, orElse, problem, warning } from './doctor-check.ts'
import * as sql from './doctor-sql.ts'
import { connectionsOfAProcess } from './platform.ts'

const POSTGRES_MIN = 170_000
const CLOCKS_WARN_MS = 1_000
/** A gateway's signature is good for five minutes, and an answer takes its time. */
const CLOCKS_WRONG_MS = 60_000
const SLOT_BYTES_MAX = 1024 ** 3
const TOGETHER_MS = 500

const version: Check<Installation> = {
  name: 'postgresql',
  async look({ database }) {
    const server = await sql.serverOf(database)
    if (!server) return [problem('the server does not say what it is')]
    if (server.number < POSTGRES_MIN) return [problem(`PostgreSQL ${server.version} is too old`, 'move to 17 or later')]
    if (server.is_standby)
      return [problem('this is a standby: it takes no writes', 'point DATABASE_URL at the primary')]
    return [ok(`PostgreSQL ${server.version}`)]
  },
}

const durability: Check<Installation> = {
  name: 'durability',
  async look({ database }) {
    const server = await sql.serverOf(database)
    const off = (['fsync', 'full_page_writes', 'synchronous_commit'] as const).filter(
      (name) => server?.[name] === 'off',
    )
    return orElse(
      [
        ...off.map((name) =>
          problem(`${name} is off: what was acknowledged can be lost`, `set ${name} = on, and reload`),
        ),
        ...(server?.data_checksums === 'off'
          ? [
              warning(
                'data checksums are off: a rotten page is not noticed',
                'stop PostgreSQL and run pg_checksums --enable',
              ),
            ]
          : []),
      ],
      'what is committed stays: fsync, full_page_writes, synchronous_commit, checksums',
    )
  },
}

const connections: Check<Installation> = {
  name: 'connections',
  async look({ database }) {
    const server = await sql.serverOf(database)
    if (!server) return []
    const living = Math.max(1, await sql.livingProcesses(database))
    const limits = [server.connections, server.role_limit, server.database_limit].filter((limit) => limit >= 0)
    const room = Math.min(...limits) - server.others
    const wanted = living * connectionsOfAProcess
    const says = `${count(living, 'process', 'processes')} may want ${wanted} connections, and ${room} are there`
    if (room >= wanted) return [ok(says)]
    return [problem(says, 'raise max_connections or the limit of the role or database, or stop who holds them')]
  },
}

const pooler: Check<Installation> = {
  name: 'pooler',
  async look({ url, database }) {
    const open = (): Database => openDatabase({ url, connectionsMax: 1, applicationName: 'millrace doctor' })
    const [one, two] = [open(), open()]
    try {
      const isShared = await isPooled(one, two)
      const asked = (await sql.serverOf(database))?.transaction_timeout === DOCTOR_LIMIT
      return orElse(
        [
          ...(isShared ? [problem('a transaction pooler is in between: sessions are not ours', DIRECT)] : []),
          ...(asked ? [] : [problem('the limits that a session asks for do not reach the server', DIRECT)]),
        ],
        'nothing between us and PostgreSQL that shares sessions',
      )
    } finally {
      await Promise.all([one.close(), two.close()])
    }
  },
}

/** What the doctor's sessions ask for, as the server then shows it. */
export const DOCTOR_LIMIT = '10s'
const DIRECT =
  'connect to PostgreSQL itself, or to a pooler in session mode: these limits keep a frozen process from holding locks'

/**
 * Whether sessions wander between servers. Two are marked while both are in a transaction, which takes two servers; then
 * each looks at its mark by itself, and a pooler hands one of them the server of the other.
 */
export async function isPooled(one: Database, two: Database): Promise<boolean> {
  const both = Promise.withResolvers<void>()
  let inside = 0
  const mark = (database: Database, name: string): Promise<void> =>
    database.transaction({}, async (tx) => {
      await tx.query(sql.sessionMark.set, [name])
      if (++inside === 2) both.resolve()
      // A pooler with a single server lets the second in only when the first is out.
      await Promise.race([both.promise, systemClock.sleep(TOGETHER_MS)])
    })
  await Promise.all([mark(one, 'one'), mark(two, 'two')])
  const isMarked = async (database: Database, name: string): Promise<boolean> =>
    (await database.query<{ mark: string }>(sql.sessionMark.get))[0]?.mark === name
  for (const [database, name] of [
    [one, 'one'],
    [one, 'one'],
    [two, 'two'],
    [two, 'two'],
  ] as const) {
    if (!(await isMarked(database, name))) return true
  }
  return false
}

const clocks: Check<Installation> = {
  name: 'clock',
  async look({ database, now }) {
    const before = now()
    const theirs = await sql.databaseNow(database)
    const after = now()
    // The answer was made at some moment in between.
    const apart = theirs < before ? before - theirs : Math.max(0, theirs - after)
    const says = `the clocks of this machine and of the database are ${(apart / 1000).toFixed(1)} s apart`
    if (apart < CLOCKS_WARN_MS) return [ok(says)]
    const todo = 'let NTP set both; signatures and expiry go by this machine, timers and leases by the database'
    return [apart < CLOCKS_WRONG_MS ? warning(says, todo) : problem(says, todo)]
  },
}

const slots: Check<Installation> = {
  name: 'replication slots',
  async look({ database }) {
    const idle = await sql.idleSlots(database)
    return orElse(
      idle.map(({ name, bytes }) => {
        const says = `nobody reads the slot ${name}, which keeps ${bytesOf(bytes)} of WAL on the disk`
        const reader =
          name === 'millrace_backup' ? 'a process with backup.dir, or `millrace backup follow`' : 'its reader'
        const todo = `start ${reader}; or, if it is not needed any more: select pg_drop_replication_slot('${name}')`
        return bytes > SLOT_BYTES_MAX ? problem(says, todo) : warning(says, todo)
      }),
      'none keeps WAL for nobody',
    )
  },
}

const archiver: Check<Installation> = {
  name: 'WAL archiving',
  async look({ database }) {
    const found = await sql.archiverOf(database)
    if (!found?.is_failing) return [ok('archive_command is not failing')]
    const says = `archive_command fails (${count(found.failed, 'time')}): WAL piles up on the disk`
    return [problem(says, 'see the log of PostgreSQL, and repair it before the disk is full')]
  },
}

export const serverChecks: readonly Check<Installation>[] = [version, durability, pooler, slots, archiver]
/** The same, of a server that holds a Millrace. */
export const installedServerChecks: readonly Check<Installation>[] = [connections, clocks]
