import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { keepTornTail, openSound, salvage } from './salvage.ts'
import { sql } from './sql.ts'

export type Row = { readonly sequence: number; readonly box: Uint8Array }

/** A file that is ours now. */
export type OpenedFile = {
  readonly name: string
  /** What the master key answered when the file was made. */
  readonly answer: string
  /** The highest sequence ever given that is still seen. */
  readonly last: number
}

/**
 * The files of a spool directory, each of one living process. Synchronous: it stands in a worker, or, where a
 * scheduler owns every await, behind `inThisThread`.
 */
export type SpoolFiles = {
  /** Makes a file that is ours alone. */
  create(name: string, answer: string): OpenedFile
  /** Takes the files that no living process holds. Of a damaged one, what can be read; the rest is noted and kept. */
  adopt(): readonly OpenedFile[]
  /** On the disk, all or none, when it returns. */
  append(name: string, rows: readonly Row[]): void
  /** Rows after the sequence, in order. */
  read(name: string, after: number, limit: { readonly rows: number; readonly bytes: number }): Row[]
  /** Rows up to the sequence are on the log. */
  remove(name: string, upTo: number): void
  /** Keeps rows apart, for a person. */
  setAside(name: string, sequences: readonly number[], reason: string): void
  /** Notes that a row is missing. Safe to repeat. */
  note(name: string, sequence: number, reason: string): void
  asides(name: string): number
  /** Lets go of the file, and removes it when nothing is in it. */
  release(name: string): void
  /** Lets go of all files as they are, as the end of the process would. */
  abandon(): void
}

type Held = { readonly database: DatabaseSync; readonly lock: DatabaseSync }

const ENDING = '.spool'

export function createSpoolFiles(directory: string): SpoolFiles {
  const held = new Map<string, Held>()
  mkdirSync(directory, { recursive: true, mode: 0o700 })

  const databaseOf = (name: string): DatabaseSync => {
    const file = held.get(name)
    if (!file) throw new Error(`the spool file ${name} is not ours`)
    return file.database
  }

  const open = (name: string, lock: DatabaseSync): OpenedFile => {
    const path = join(directory, name + ENDING)
    const torn = keepTornTail(path)
    const database = openSound(path) ?? salvage(path)
    held.set(name, { database, lock })
    if (torn) database.prepare(sql.note).run(null, 'torn_tail')
    const { last } = database.prepare(sql.last).get() as { last: number }
    const about = database.prepare(sql.answer).get() as { value: string } | undefined
    return { name, last, answer: about?.value ?? '' }
  }

  return {
    create(name, answer) {
      const lock = holdLock(directory, name)
      if (!lock) throw new Error(`the spool file ${name} is held by another process`)
      const opened = open(name, lock)
      if (opened.answer === '') databaseOf(name).prepare(sql.setAnswer).run(answer)
      return { ...opened, answer: opened.answer || answer }
    },

    adopt() {
      const opened: OpenedFile[] = []
      for (const name of namesIn(directory).filter((one) => !held.has(one))) {
        const lock = holdLock(directory, name)
        // Its last owner may have removed it while we looked.
        if (lock && existsSync(join(directory, name + ENDING))) opened.push(open(name, lock))
        else if (lock) letGo(directory, name, lock)
      }
      return opened
    },

    append: (name, rows) =>
      inTransaction(databaseOf(name), (database) => {
        const insert = database.prepare(sql.append)
        for (const { sequence, box } of rows) insert.run(sequence, box)
      }),

    read(name, after, limit) {
      const rows: Row[] = []
      let bytes = 0
      for (const row of databaseOf(name).prepare(sql.read).iterate(after, limit.rows) as Iterable<Row>) {
        bytes += row.box.length
        if (rows.length > 0 && bytes > limit.bytes) break
        rows.push({ sequence: row.sequence, box: row.box })
      }
      return rows
    },

    remove: (name, upTo) => void databaseOf(name).prepare(sql.remove).run(upTo),

    setAside: (name, sequences, reason) =>
      inTransaction(databaseOf(name), (database) => {
        for (const sequence of sequences) {
          database.prepare(sql.setAside).run(reason, sequence)
          database.prepare(sql.removeOne).run(sequence)
        }
      }),

    note: (name, sequence, reason) => {
      const { rows } = databaseOf(name).prepare(sql.noted).get(sequence) as { rows: number }
      if (rows === 0) databaseOf(name).prepare(sql.note).run(sequence, reason)
    },

    asides: (name) => databaseOf(name).prepare(sql.asides).all().length,

    release(name) {
      const { database, lock } = held.get(name) ?? {}
      if (!database || !lock) return
      const { rows } = database.prepare(sql.summary).get() as { rows: number }
      const isEmpty = rows === 0 && database.prepare(sql.asides).all().length === 0
      database.close()
      held.delete(name)
      if (isEmpty) for (const path of pathsOf(directory, name)) rmSync(path, { force: true })
      letGo(directory, name, lock)
    },

    abandon() {
      for (const { database, lock } of held.values()) {
        database.close()
        lock.close()
      }
      held.clear()
    },
  }
}

/** Names of the spool files in a directory. */
export function namesIn(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith(ENDING))
  return names.map((name) => name.slice(0, -ENDING.length)).sort()
}

/** Undefined while its process lives. */
function holdLock(directory: string, name: string): DatabaseSync | undefined {
  const lock = new DatabaseSync(join(directory, `${name}.lock`))
  try {
    lock.exec(sql.hold)
    return lock
  } catch {
    lock.close()
    return undefined
  }
}

/** Whether the process that the file belongs to is alive. */
export function isHeld(directory: string, name: string): boolean {
  const lock = existsSync(join(directory, `${name}.lock`)) ? holdLock(directory, name) : undefined
  lock?.close()
  return lock === undefined && existsSync(join(directory, `${name}.lock`))
}

function letGo(directory: string, name: string, lock: DatabaseSync): void {
  // Still held, so that nobody takes a lock that is about to be nobody's.
  rmSync(join(directory, `${name}.lock`), { force: true })
  lock.close()
}

function inTransaction(database: DatabaseSync, work: (database: DatabaseSync) => void): void {
  database.exec(sql.begin)
  try {
    work(database)
    database.exec(sql.commit)
  } catch (error) {
    if (database.isTransaction) database.exec(sql.rollback)
    throw error
  }
}

function pathsOf(directory: string, name: string): string[] {
  return ['', '-wal', '-shm'].map((ending) => join(directory, name + ENDING + ending))
}
