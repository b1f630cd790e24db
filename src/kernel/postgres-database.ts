import pg from 'pg'
import { arrayParameter, isFlat } from './array-literal.ts'
import type { Database, SqlValue, Statement, TransactionOptions, Tx } from './database.ts'
import { invariant } from './invariant.ts'

/**
 * Limits every session carries, so that nobody holds a lock for long. A frozen client is cut off by the
 * server after a second; a transaction that outlives three is aborted whoever is at fault.
 */
const SESSION = {
  idle_in_transaction_session_timeout: '1000',
  transaction_timeout: '3000',
  lock_timeout: '2000',
  tcp_user_timeout: '3000',
  tcp_keepalives_idle: '5',
  TimeZone: 'UTC',
} as const

/** How long the client waits for an answer before it gives the connection up: past every server limit. */
const ANSWER_TIMEOUT_MS = 10_000

export type DatabaseSettings = {
  url: string
  /** Sessions at most: this user's share of the server's budget. */
  connectionsMax: number
  applicationName: string
  /** Replaces the session limits, for tests that take one away. */
  session?: Readonly<Record<string, string>>
  /** Replaces the ten seconds after which the client gives a connection up, for declared long work. */
  answerTimeoutMs?: number
  /** Sessions that are idle are kept, and temporary tables with them. */
  keepsIdle?: boolean
}

/** Opens a pool. No connection is made before the first statement. */
export function openDatabase(settings: DatabaseSettings): Database {
  const pool = new pg.Pool(connectionConfig(settings))
  // A connection that breaks while idle is reported here; the pool has already let go of it.
  pool.on('error', () => {})
  // One that breaks while it is handed over would meet no listener, and end the process: so each has one for life.
  pool.on('connect', (client) => void client.on('error', () => {}))
  const listeners = new Set<() => Promise<void>>()

  return {
    transaction: (options, work) => runTransaction(pool, options, work),
    async query(statement, values) {
      const client = await pool.connect()
      try {
        const rows = await run(client, statement, values)
        client.release()
        return rows as never
      } catch (error) {
        client.release(brokeConnection(error))
        throw error
      }
    },
    async listen(channel, heard) {
      const stop = await keepListening(settings, channel, heard)
      listeners.add(stop)
      return async () => {
        listeners.delete(stop)
        await stop()
      }
    },
    async close() {
      await Promise.all([...listeners].map((stop) => stop()))
      await pool.end()
    },
  }
}

async function runTransaction<T>(pool: pg.Pool, options: TransactionOptions, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken = false
  try {
    await client.query(beginText(options))
    const result = await work(transactionOf(client))
    await client.query('commit')
    return result
  } catch (error) {
    broken = brokeConnection(error) || !(await rolledBack(client))
    throw error
  } finally {
    client.release(broken)
  }
}

/** One round trip: the role and the limits come with the begin. */
function beginText({ role, readOnly, isSnapshot, timeoutMs, lockTimeoutMs }: TransactionOptions): string {
  return [
    `begin${isSnapshot ? ' isolation level repeatable read' : ''}${readOnly ? ' read only' : ''}`,
    // The session's limit runs already: it is only left for another when it is taken away first.
    ...(timeoutMs === undefined ? [] : [0, timeoutMs].map((ms) => `set local transaction_timeout = ${Math.trunc(ms)}`)),
    ...(lockTimeoutMs === undefined ? [] : [`set local lock_timeout = ${Math.trunc(lockTimeoutMs)}`]),
    ...(role === undefined ? [] : [`set local role ${roleName(role)}`]),
  ].join('; ')
}

function roleName(role: string): string {
  invariant(/^[a-z_][a-z0-9_]*$/.test(role), 'a role is a plain identifier')
  return role
}

function transactionOf(client: pg.PoolClient): Tx {
  return {
    query: (statement, values) => run(client, statement, values) as never,
    async script(text) {
      await client.query(text)
    },
    async become(role) {
      await client.query(`set local role ${roleName(role)}`)
    },
  }
}

async function run(client: pg.PoolClient, { name, text }: Statement, values: readonly SqlValue[] = []) {
  const result = await client.query({ name, text, values: values.map(parameter) })
  return result.rows
}

function parameter(value: SqlValue): SqlValue {
  return Array.isArray(value) && isFlat(value) ? arrayParameter(value) : value
}

async function rolledBack(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query('rollback')
    return true
  } catch {
    return false
  }
}

/** An error without an SQLSTATE came from the connection, not from the server's judgement. */
function brokeConnection(error: unknown): boolean {
  return !(error instanceof pg.DatabaseError) || error.severity === 'FATAL' || error.severity === 'PANIC'
}

async function keepListening(settings: DatabaseSettings, channel: string, heard: (payload: string) => void) {
  let isOpen = true
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined

  const connect = async (): Promise<void> => {
    const session = new pg.Client(connectionConfig({ ...settings, connectionsMax: 1 }))
    client = session
    session.on('error', () => {})
    session.on('end', () => {
      if (isOpen && client === session) retry = setTimeout(() => void connect().catch(() => {}), 500)
    })
    session.on('notification', ({ payload }) => heard(payload ?? ''))
    await session.connect()
    await session.query(`listen ${roleName(channel)}`)
  }
  await connect()

  return async () => {
    isOpen = false
    clearTimeout(retry)
    await client?.end().catch(() => {})
  }
}

function connectionConfig(settings: DatabaseSettings): pg.PoolConfig {
  const session = { ...SESSION, ...settings.session }
  return {
    connectionString: settings.url,
    max: settings.connectionsMax,
    application_name: settings.applicationName,
    connectionTimeoutMillis: 5_000,
    query_timeout: settings.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
    keepAlive: true,
    idleTimeoutMillis: settings.keepsIdle ? 0 : 30_000,
    options: Object.entries(session)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: { getTypeParser: ((oid: number, format: 'text' | 'binary') => parserOf(oid, format)) as never },
  }
}

const INT8 = 20
const NUMERIC = 1700
const TIMESTAMPTZ = 1184

/** int8 becomes bigint: offsets and money are exact or they are wrong. */
function parserOf(oid: number, format: 'text' | 'binary'): unknown {
  if (oid === INT8 || oid === NUMERIC) return BigInt
  if (oid === TIMESTAMPTZ && format === 'text') return parseTime
  return pg.types.getTypeParser(oid, format as 'text')
}

/** Rows that were written together carry one time: it is parsed once, and not for each. */
const lastTime = { text: '', ms: Number.NaN }

function parseTime(text: string): Date | number {
  if (text !== lastTime.text) {
    const parsed: unknown = pg.types.getTypeParser(TIMESTAMPTZ, 'text')(text)
    // An infinite time has no milliseconds.
    if (!(parsed instanceof Date)) return parsed as number
    lastTime.text = text
    lastTime.ms = parsed.getTime()
  }
  return new Date(lastTime.ms)
}
