import { join } from 'node:path'
import { startPostgres } from '#kernel/postgres/start'
import { temporaryDirectory } from './directory.ts'

export type TestServer = { url: string; stop(): Promise<void> }

/** Nothing in a test server outlives the run, so it does not wait for the disk. */
const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' }

/** A PostgreSQL for tests; it and its data are gone when it stops, or when this process ends in whatever way. */
export async function startTestServer(): Promise<TestServer> {
  const directory = temporaryDirectory()
  const server = await startPostgres({ dataDir: join(directory.path, 'postgres'), settings })
  return {
    url: server.url,
    async stop() {
      await server.stop('immediate')
      await directory.remove()
    },
  }
}
