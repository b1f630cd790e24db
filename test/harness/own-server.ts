import { join } from 'node:path'
import { type EmbeddedPostgres, startPostgres } from '#kernel/postgres/start'
import { temporaryDirectory } from './directory.ts'
import { isGone, signalTree } from './process-tree.ts'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void>): void }

export type OwnServer = {
  readonly url: string
  readonly dataDir: string
  /** All that the server wrote to its log. */
  log(): string
  /** SIGKILL to every process of it. */
  kill(): Promise<void>
  /** The same server again, on the same data and port. */
  restart(): Promise<void>
  /** Both, one after the other. */
  crash(): Promise<void>
}

/** A PostgreSQL of the test's own as `npm start` has it, fsync and all: what a crash leaves is what a crash leaves. */
export async function startOwnServer(t: Ending, settings: Readonly<Record<string, string>> = {}): Promise<OwnServer> {
  const directory = temporaryDirectory()
  let log = ''
  const start = (port?: number): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDir: join(directory.path, 'postgres'),
      settings: { max_connections: '200', ...settings },
      ...(port === undefined ? {} : { port }),
      onLog: (text) => {
        log += text
      },
    })
  let server = await start()
  const kill = async (): Promise<void> => {
    const { pid } = server
    signalTree(pid, 'SIGKILL')
    await until('the killed server is gone', () => isGone(pid))
  }
  const restart = async (): Promise<void> => {
    server = await start(server.port)
  }
  t.after(async () =>
    t.after(async () => {
      await server.stop('immediate')
      await directory.remove()
    }),
  )
  return {
    url: server.url,
    dataDir: server.dataDir,
    log: () => log,
    kill,
    restart,
    async crash() {
      await kill()
      await restart()
    },
  }
}
