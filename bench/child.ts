import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

/** A program of its own, so that its CPU and its event loop are not the platform's. It answers one question at a time. */
export type Child<Question, Answer> = {
  ask(question: Question): Promise<Answer>
  readonly pid: number
  stop(): Promise<void>
}

/** Starts `bench/children/<name>.ts`, which says 'ready' over IPC, then answers each message with one. */
export async function startChild<Question extends object, Answer>(name: string): Promise<Child<Question, Answer>> {
  const path = new URL(`./children/${name}.ts`, import.meta.url)
  const child = fork(path, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  await next(child, name)
  return {
    async ask(question) {
      child.send(question)
      return (await next(child, name)) as Answer
    },
    pid: child.pid ?? -1,
    async stop() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

function next(child: ChildProcess, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`${name} ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}

/** The other side: says that it is ready, and answers what it is asked. */
export function answer<Question, Answer>(answerTo: (question: Question) => Promise<Answer>): void {
  process.on('message', (question: Question) => {
    answerTo(question).then(
      (answered) => process.send?.(answered),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
  process.send?.('ready')
}
