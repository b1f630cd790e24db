import type { Database, SqlValue, Statement, TransactionOptions, Tx } from '#kernel/database'
import { type Connection, ConnectionLost, Machine } from './machine.ts'
import type { SimulatedProcess } from './process.ts'
import type { Scheduler } from './scheduler.ts'
import type { Answer } from './sessions.ts'

/** The Database of a simulated process: real sessions, of which the scheduler decides each statement's turn. */
export function simulatedDatabase(process: SimulatedProcess): Database {
  const { machine } = process
  return {
    transaction: (options, work) => runTransaction(process, options, work),
    async query(statement, values) {
      if (isNotify(statement)) return tell(process, values) as never
      const connection = machine.connect(process, true)
      try {
        return (await say(connection, { statement, values: values ?? [] })) as never
      } finally {
        machine.disconnect(connection)
      }
    },
    async listen(channel, heard) {
      const stop = machine.listen(process, channel, heard)
      return async () => stop()
    },
    close: async () => {},
  }
}

async function runTransaction<T>(process: SimulatedProcess, options: TransactionOptions, work: (tx: Tx) => Promise<T>) {
  const { machine } = process
  const connection = machine.connect(process, false)
  const lockTimeoutMs = options.lockTimeoutMs
  const about = lockTimeoutMs === undefined ? {} : { lockTimeoutMs }
  const tx: Tx = {
    query: (statement, values) => say(connection, { statement, values: values ?? [], ...about }) as never,
    script: async (text) => void (await say(connection, { statement: text, ...about })),
    become: async (role) => void (await say(connection, { statement: `set local role ${role}`, ...about })),
  }
  try {
    await say(connection, { statement: 'begin', begins: options })
    const result = await work(tx)
    await say(connection, { statement: 'commit' })
    return result
  } catch (error) {
    if (connection.session) await say(connection, { statement: 'rollback' }).catch(() => {})
    throw error
  } finally {
    machine.disconnect(connection)
  }
}

type Saying = {
  readonly statement: string | Statement
  readonly values?: readonly SqlValue[]
  readonly lockTimeoutMs?: number
  readonly begins?: TransactionOptions
}

/** One statement, when the scheduler says so. */
function say(connection: Connection, saying: Saying): Promise<unknown[]> {
  const { process } = connection
  const { scheduler } = process.machine
  const label = typeof saying.statement === 'string' ? saying.statement : saying.statement.name
  return new Promise((resolve, reject) => {
    const settle = (answer: Answer): void => {
      if (process.isDead) return
      if ('error' in answer) reject(answer.error)
      else resolve(answer.rows)
    }
    const run = (): Promise<void> => execute(connection, saying, label, settle)
    scheduler.add({ owner: process.owner, label: `sql ${label}`, dueMs: scheduler.nowMs, run })
  })
}

async function execute(connection: Connection, saying: Saying, label: string, settle: (answer: Answer) => void) {
  const { machine } = connection.process
  const cut = machine.takeCut()
  if (cut === 'before' || machine.isAwayFor(connection)) await machine.lose(connection)
  const session = await machine.sessionOf(connection)
  if (!session) return settle({ error: new ConnectionLost() })

  const now = machine.databaseNow()
  if (connection.isAlone && session.now !== now) {
    await machine.sessions.send(session, `set millrace.now = '${now}'`)
    session.now = now
  }
  const text = saying.begins ? beginText(saying.begins, now) : saying.statement
  const answer = await machine.sessions.send(session, text, saying.values)
  if (!answer) {
    const timeoutMs = Machine.lockTimeoutMs(saying.lockTimeoutMs)
    machine.scheduler.note(`waits: ${label}`)
    return machine.wait({ connection, sinceMs: machine.scheduler.nowMs, timeoutMs, label, settle })
  }
  connection.isInTransaction = !connection.isAlone && label !== 'commit' && label !== 'rollback'
  // An error lets go at once of all that its transaction held.
  if (!connection.isInTransaction || 'error' in answer) machine.letGo()
  connection.idleSinceMs = machine.scheduler.nowMs
  machine.scheduler.note('error' in answer ? `failed: ${String(answer.error)}` : `${answer.rows.length} rows`)
  if (label === 'delivery.begin' && 'rows' in answer)
    await machine.begun(connection.process.owner, answer.rows as never)
  if (cut === 'after') {
    await machine.lose(connection)
    return settle({ error: new ConnectionLost() })
  }
  settle('error' in answer ? answer : { rows: inAnyOrder(answer.rows, saying.statement, machine.scheduler) })
}

/** Functions that promise an order their caller's text does not show. */
const ORDERED = new Set(['log.take', 'log.fire_due'])

/** Where nobody asked for an order PostgreSQL gives what it likes: here the seed does. */
function inAnyOrder(rows: unknown[], statement: string | Statement, scheduler: Scheduler): unknown[] {
  if (rows.length < 2 || typeof statement === 'string') return rows
  if (ORDERED.has(statement.name) || /order by/i.test(statement.text)) return rows
  const named = rows.map((row) => ({ row, name: JSON.stringify(row, bigintAsText) }))
  named.sort((one, other) => (one.name < other.name ? -1 : 1))
  return named
    .map(({ row }) => ({ row, at: scheduler.random.unit() }))
    .sort((one, other) => one.at - other.at)
    .map(({ row }) => row)
}

function bigintAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

function beginText({ role, readOnly }: TransactionOptions, now: string): string {
  const become = role === undefined ? '' : `; set local role ${role}`
  return `${readOnly ? 'begin read only' : 'begin'}; set local millrace.now = '${now}'${become}`
}

function isNotify(statement: Statement): boolean {
  return statement.text.includes('pg_notify')
}

/** The NOTIFY itself is the simulation's: a real one would arrive when it likes. */
async function tell(process: SimulatedProcess, values: readonly SqlValue[] = []): Promise<never[]> {
  const [payload] = values
  process.machine.notify('millrace_log', String(payload))
  return []
}
