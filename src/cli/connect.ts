import { join } from 'node:path'
import { type Config, loadConfig } from '#kernel/config'
import type { Database } from '#kernel/database'
import { findRunning } from '#kernel/postgres/running'
import { startPostgres } from '#kernel/postgres/start'
import { openDatabase } from '#kernel/postgres-database'
import type { Call } from './command.ts'

/** A person waits for the answer, and nobody else for the locks: reading a large ledger may take its time. */
const patient = { session: { transaction_timeout: '0' }, answerTimeoutMs: 60 * 60_000 }

/**
 * Works on the platform's database, running or not: on DATABASE_URL, on the embedded PostgreSQL that somebody
 * runs on the data directory, or on one started for the work and stopped after it.
 */
export async function withDatabase<T>(
  call: Pick<Call, 'cwd' | 'env'>,
  work: (database: Database, config: Config) => Promise<T>,
): Promise<T> {
  const config = await loadConfig(call)
  const server = await serverOf(config)
  const database = openDatabase({ url: server.url, connectionsMax: 4, applicationName: 'millrace command', ...patient })
  try {
    return await work(database, config)
  } finally {
    await database.close()
    await server.stop()
  }
}

async function serverOf({ databaseUrl, dataDir }: Config): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = join(dataDir, 'postgres')
  const url = databaseUrl ?? findRunning(directory)
  return url === undefined ? startPostgres({ dataDir: directory }) : { url, stop: async () => {} }
}
