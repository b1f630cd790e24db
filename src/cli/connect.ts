import { join } from 'node:path'
import { type Config, loadConfig } from '#kernel/config'
import type { Database } from '#kernel/database'
import { findRunning, hasCluster } from '#kernel/postgres/running'
import { startPostgres } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import type { Call } from './command.ts'

/** A person waits for the answer, and nobody else for the locks: reading a large ledger may take its time. */
const patient = { session: { transaction_timeout: '0' }, answerTimeoutMs: 60 * 60_000 }

type Absence = 'refuse what is missing' | 'make what is missing'

/**
 * Works on the platform's database, running or not: on DATABASE_URL, on the embedded PostgreSQL that somebody
 * runs on the data directory, or on one started for the work and stopped after it. Where there is no data
 * directory yet, it is refused unless `absence` says otherwise.
 */
export async function withDatabase<T>(
  call: Pick<Call, 'cwd' | 'env'>,
  work: (database: Database, config: Config, url: string) => Promise<T>,
  absence: Absence = 'refuse what is missing',
): Promise<T> {
  const config = await loadConfig(call)
  const server = await serverOf(config, absence)
  const database = openDatabase({ url: server.url, connectionsMax: 4, applicationName: 'millrace command', ...patient })
  try {
    return await work(database, config, server.url)
  } finally {
    await database.close()
    await server.stop()
  }
}

/** One session for as long as it is wanted, on the platform's database or on another: temporary tables live in it. */
export async function withSession<T>(url: string, work: (session: Database) => Promise<T>): Promise<T> {
  const lasting = { ...patient, session: { ...patient.session, ...sessionLimits }, keepsIdle: true }
  const session = openDatabase({ url, connectionsMax: 1, applicationName: 'millrace command', ...lasting })
  try {
    return await work(session)
  } finally {
    await session.close()
  }
}

/** It reads elsewhere between two statements; and what it builds and compares should fit into memory. */
const sessionLimits = { idle_in_transaction_session_timeout: '60000', temp_buffers: '64MB', work_mem: '64MB' }

async function serverOf(
  { databaseUrl, dataDir }: Config,
  absence: Absence,
): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = join(dataDir, 'postgres')
  const isNew = absence === 'make what is missing' && !hasCluster(directory)
  const url = databaseUrl ?? (isNew ? undefined : findRunning(directory))
  return url === undefined ? startPostgres({ dataDir: directory }) : { url, stop: async () => {} }
}
