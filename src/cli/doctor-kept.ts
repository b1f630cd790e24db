import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { listBackups } from '#backup'
import { groupsBehind, listSegments } from '#log/archive'
import { inspectSpool } from '#spool'
import { masterKeyIn } from './account-secrets.ts'
import { archiveOf } from './archive.ts'
import {
  type Check,
  count,
  duration,
  type Installation,
  type Machine,
  ok,
  orElse,
  problem,
  warning,
} from './doctor-check.ts'
import * as sql from './doctor-sql.ts'
import { spoolDirectory } from './spool-directory.ts'

const DAY_SECONDS = 86_400
/** A backup a day, and two hours for it. */
const BACKUP_SECONDS_MAX = DAY_SECONDS + 7_200
/** A segment is closed when its first event is a day old. */
const UNARCHIVED_SECONDS_MAX = DAY_SECONDS + 7_200
const SPOOLED_SECONDS_MAX = 60

const spool: Check<Machine> = {
  name: 'spool',
  async look({ config, now }) {
    const directory = spoolDirectory(config)
    const hasKey = existsSync(join(config.dataDir, 'master.key'))
    // One that cannot be used is a finding of its own; without it only the ages are not known.
    const masterKey = hasKey ? await masterKeyIn(config).catch(() => undefined) : undefined
    const files = inspectSpool(directory, masterKey)
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    const oldest = Math.min(...files.map(({ oldestAt }) => oldestAt ?? Number.POSITIVE_INFINITY))
    const seconds = Number.isFinite(oldest) ? (now() - oldest) / 1000 : 0
    const damaged = files.filter(({ isUnreadable, asides }) => isUnreadable || asides.length > 0)
    const says = `${count(rows, 'request')} wait on the disk${seconds > 0 ? `, the first for ${duration(seconds)}` : ''}`
    const todo = 'bring the database back, and start a process on this directory'
    return orElse(
      [
        ...damaged.map(({ name }) =>
          problem(`something in ${name} was set aside`, 'keep the file, and see: millrace spool status'),
        ),
        ...(rows > 0 ? [seconds > SPOOLED_SECONDS_MAX ? problem(says, todo) : warning(says, todo)] : []),
      ],
      'nothing waits',
    )
  },
}

const backups: Check<Machine> = {
  name: 'backup',
  async look({ config: { backup, mode }, now }) {
    if (backup.dir === undefined && mode === 'test') return [ok('no backup.dir is set; in test mode no money is lost')]
    if (backup.dir === undefined)
      return [warning('no backup.dir is set', 'set it, and run `millrace backup` every day')]
    const last = (await listBackups(backup.dir)).at(-1)
    if (!last) return [problem(`there is no backup in ${backup.dir}`, 'run `millrace backup`')]
    const seconds = (now() - Date.parse(last.about.endedAt)) / 1000
    const says = `the last is ${last.name}, ${duration(seconds)} old`
    return [seconds > BACKUP_SECONDS_MAX ? problem(says, 'run `millrace backup`, and see why nobody has') : ok(says)]
  },
}

const archive: Check<Installation> = {
  name: 'archive',
  async look({ config, database }) {
    const kept = archiveOf(config)
    const waiting = await groupsBehind(database)
    if (!kept && waiting.length > 0) {
      const says = `${waiting.join(', ')} wait for events that are in the archive alone`
      return [problem(says, 'set archive.dir where Millrace runs, or run `millrace archive` with it')]
    }
    if (!kept) return [ok('no archive.dir is set: the log keeps everything')]
    const segments = await listSegments(database)
    const files = new Set(await kept.files())
    const missing = segments.filter(({ file }) => !files.has(file))
    const age = (await sql.oldestUnarchived(database)) ?? 0
    return orElse(
      [
        ...(missing.length > 0
          ? [problem(`${count(missing.length, 'file')} of ${segments.length} are missing`, 'millrace archive verify')]
          : []),
        ...(age > UNARCHIVED_SECONDS_MAX
          ? [
              problem(
                `nothing has been archived since ${duration(age)}`,
                'run `millrace archive`, and see what it says',
              ),
            ]
          : []),
      ],
      `${count(segments.length, 'segment')}, every file there`,
    )
  },
}

export const keptMachineChecks: readonly Check<Machine>[] = [spool, backups]
export const keptChecks: readonly Check<Installation>[] = [archive]
