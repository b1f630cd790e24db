import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Outcome } from './schedule.ts'

/** As many as the machine has cores to give: each keeps one core of Node and PostgreSQL together busy. */
export const WORKERS = 2

export type Worker = { run(seed: string): Promise<Outcome>; close(): Promise<void> }

/** A process that runs schedules of the checkout at `root`, on a new database of this name. */
export async function openWorker(root: string, serverUrl: string, database: string): Promise<Worker> {
  const path = join(root, 'test/simulation/worker.ts')
  // Not an argument: those are for everybody to read.
  const env = { ...process.env, SIMULATION_SERVER: serverUrl }
  const child = fork(path, [database], { cwd: root, env, serialization: 'advanced' })
  await answerOf(child)
  return {
    async run(seed) {
      child.send(seed)
      return (await answerOf(child)) as Outcome
    },
    async close() {
      if (!child.connected) return
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`a worker ended with exit code ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.removeListener('exit', ended)
      resolve(message)
    })
  })
}
