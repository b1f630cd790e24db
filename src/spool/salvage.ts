import { closeSync, copyFileSync, existsSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { sql } from './sql.ts'
import { hasTornTail } from './wal-check.ts'

/** The file, ready for use; undefined where SQLite finds it damaged. Made where there is none. */
export function openSound(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path)
  try {
    database.exec(sql.open)
    const { integrity_check: verdict } = database.prepare(sql.check).get() as { integrity_check: string }
    if (verdict === 'ok') return database
  } catch {
    // What is wrong with it is all the same: what can be read of it is, and it is kept.
  }
  database.close()
  return undefined
}

/** A sound file in the place of a damaged one, with the rows that can still be read. The damaged one is kept beside it. */
export function salvage(path: string): DatabaseSync {
  for (const ending of ['-shm', '-wal', '']) {
    if (existsSync(path + ending)) renameSync(path + ending, damagedName(path) + ending)
  }
  const database = openSound(path)
  if (!database) throw new Error('a new spool file cannot be made')
  database.exec(sql.begin)
  copyReadable(damagedName(path), database)
  database.prepare(sql.note).run(null, 'damaged_file')
  database.exec(sql.commit)
  return database
}

/** What SQLite would drop without a word is copied before it is opened; whether there was anything. */
export function keepTornTail(path: string): boolean {
  if (!hasTornTail(`${path}-wal`) && !isDisowned(path)) return false
  copyFileSync(`${path}-wal`, `${damagedName(path)}-wal-torn`)
  return true
}

/** A file that does not say any more that it has a write-ahead log, and has one: SQLite would remove the log. */
function isDisowned(path: string): boolean {
  const hasLog = existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0
  return hasLog && !(existsSync(path) && formatOf(path).equals(LOGGED))
}

/** The two bytes of the header that say how the file is written and read: https://www.sqlite.org/fileformat2.html#vnums */
const LOGGED = Buffer.from([2, 2])

function formatOf(path: string): Buffer {
  const file = openSync(path, 'r')
  const bytes = Buffer.alloc(2)
  readSync(file, bytes, 0, 2, 18)
  closeSync(file)
  return bytes
}

function damagedName(path: string): string {
  return path.replace(/\.spool$/, '.damaged')
}

/** From both ends: a page that cannot be read hides its neighbours from one side only. */
function copyReadable(path: string, into: DatabaseSync): void {
  const from = new DatabaseSync(path)
  const copy = into.prepare(sql.salvage)
  attempt(() => {
    const { value } = from.prepare(sql.answer).get() as { value: string }
    into.prepare(sql.setAnswer).run(value)
  })
  for (const rows of [sql.ascending, sql.descending]) {
    attempt(() => {
      for (const { sequence, box } of from.prepare(rows).iterate() as Iterable<{ sequence: number; box: Uint8Array }>) {
        copy.run(sequence, box)
      }
    })
  }
  from.close()
}

function attempt(work: () => void): void {
  try {
    work()
  } catch {
    // As far as it went.
  }
}
