import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EmbeddedPostgres, startPostgres } from '#kernel/postgres/start'
import { temporaryDirectory } from './directory.ts'
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
    // The postmaster first: it would restart what it sees die.
    const children = childrenOf(pid)
    process.kill(pid, 'SIGKILL')
    for (const child of children) killChild(child)
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

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number)
  } catch {
    // Without that file they end by themselves when they miss their postmaster.
    return []
  }
}

function killChild(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}
