import type { QueryResultRow } from 'pg'

/** A statement with a name: prepared once per session, and found in pg_stat_statements under its module. */
export type Statement = { readonly name: string; readonly text: string }

export function statement(name: string, text: string): Statement {
  return { name, text }
}

export type SqlValue = string | number | bigint | boolean | null | Date | Buffer | readonly SqlValue[]

export type Tx = {
  query<Row extends QueryResultRow = QueryResultRow>(statement: Statement, values?: readonly SqlValue[]): Promise<Row[]>
  /** Several statements without parameters: migrations. */
  script(text: string): Promise<void>
  /** Continues under the module's own PostgreSQL role until the transaction ends or another role is taken. */
  become(role: string): Promise<void>
}

export type TransactionOptions = {
  /** PostgreSQL role the statements run under; the session's own when absent. */
  role?: string
  readOnly?: boolean
  /** All of its statements see the database as the first does: REPEATABLE READ. */
  isSnapshot?: boolean
  /** Replaces the default transaction_timeout of 3 s for declared long work. */
  timeoutMs?: number
  /** Replaces the default lock_timeout of 2 s, for whoever has something better to do than wait. */
  lockTimeoutMs?: number
}

/**
 * The door to PostgreSQL, and the seam of the simulation: no other code holds a connection.
 * Transactions run at READ COMMITTED; a rejected `work` is rolled back. A lost connection rejects
 * with a DatabaseFault, never hangs and never throws elsewhere.
 */
export type Database = {
  transaction<T>(options: TransactionOptions, work: (tx: Tx) => Promise<T>): Promise<T>
  /** One statement in a transaction of its own. */
  query<Row extends QueryResultRow = QueryResultRow>(statement: Statement, values?: readonly SqlValue[]): Promise<Row[]>
  /** Notifications on a channel, on a session of its own that reconnects; the returned function ends it. */
  listen(channel: string, heard: (payload: string) => void): Promise<() => Promise<void>>
  close(): Promise<void>
}
