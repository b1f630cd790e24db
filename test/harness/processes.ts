import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { GatewayAccount } from '#gateways'

type Ending = { after(work: () => Promise<void>): void }

export type WorkerProcess = {
  readonly name: string
  readonly pid: number
  /** Resolves when it is gone. */
  kill(): Promise<void>
  freeze(): void
  /** Resolves when it has stopped itself in a transaction of its loops, right after it ran the statement of this name. */
  freezeAfter(statement: string): Promise<void>
  thaw(): void
}

/** A worker in a process of its own on a database that is prepared; running when this returns, gone with the test. */
export async function startWorker(
  t: Ending,
  settings: { url: string; name: string; accounts?: readonly GatewayAccount[] },
): Promise<WorkerProcess> {
  const { name, url, accounts } = settings
  const given = JSON.stringify({ url, process: name, accounts })
  const child = spawn(process.execPath, [join(import.meta.dirname, 'worker.ts'), given], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  t.after(kill)
  await ready(child, gone)
  const { pid } = child
  if (pid === undefined) throw new Error('a worker that is ready has a process id')
  return {
    name,
    pid,
    kill,
    freeze: () => void child.kill('SIGSTOP'),
    async freezeAfter(statement) {
      child.stdin?.write(`${statement}\n`)
      await once(child.stdout ?? child, 'data')
    },
    thaw: () => void child.kill('SIGCONT'),
  }
}

async function ready(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  const first = await Promise.race([once(child.stdout ?? child, 'data'), gone.then(() => undefined)])
  if (first === undefined) throw new Error('the worker ended before it was ready')
}
