import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { isGone, signalTree } from '#harness/process-tree'
import { until } from '#harness/until'
import { type EmbeddedPostgres, startPostgres } from '#kernel/postgres/start'

/** The run's own PostgreSQL, with fsync and checksums as `npm start` has it. */
export type Server = {
  readonly port: number
  readonly url: string
  readonly dataDir: string
  /** SIGKILL to every process of it. */
  kill(): Promise<void>
  /** On the same data and port, recovery included. Does nothing where it runs. */
  start(): Promise<void>
  freeze(): void
  thaw(): void
  /** Every flush of the write-ahead log takes so much longer, in microseconds; 0 is the disk's own pace. */
  slowDown(flushDelayUs: number): Promise<void>
  stop(): Promise<void>
}

const SETTINGS = { max_connections: '300', max_wal_size: '2GB', shared_buffers: '512MB' }

export async function startServer(directory: string): Promise<Server> {
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDir: join(directory, 'postgres'),
      settings: SETTINGS,
      ...(port === undefined ? {} : { port }),
      onLog: (text) => appendFileSync(join(directory, 'postgres.log'), text),
    })
  let server = await start()
  const { port, url, dataDir } = server
  let isUp = true
  const signalAll = (signal: NodeJS.Signals): void => signalTree(server.pid, signal)
  const guard = guardOf(dataDir)
  return {
    port,
    url,
    dataDir,
    async kill() {
      isUp = false
      signalAll('SIGKILL')
      await until('the killed server is gone', () => isGone(server.pid))
    },
    async start() {
      if (!isUp) server = await start(port)
      isUp = true
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    async slowDown(flushDelayUs) {
      const client = new Client({ connectionString: url })
      await client.connect()
      try {
        await client.query(`alter system set commit_delay = ${flushDelayUs}`)
        await client.query(`alter system set commit_siblings = ${flushDelayUs === 0 ? 5 : 0}`)
        await client.query('select pg_reload_conf()')
      } finally {
        await client.end()
      }
    },
    async stop() {
      if (isUp) await server.stop('immediate')
      isUp = false
      guard.stdin.end()
    },
  }
}

/** Ends the server of the data directory once its input ends, which is when we do, however we do. */
const guardScript = `
cat > /dev/null
[ -f "$0/postmaster.pid" ] || exit 0
pid=$(head -n 1 "$0/postmaster.pid")
kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
kill -QUIT "$pid"`

function guardOf(dataDir: string) {
  const guard = spawn('sh', ['-c', guardScript, dataDir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  guard.unref()
  return guard
}
