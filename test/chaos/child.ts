import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { endWithUs } from './end-with-us.ts'

/** What a child answers to each kind of question. */
export type Answers = Readonly<Record<string, (question: never) => unknown>>

/** A party of the run in a process of its own, asked over IPC; it goes when we go. */
export type Child<Side extends Answers> = {
  readonly pid: number
  ask<Name extends keyof Side & string>(
    name: Name,
    question: Parameters<Side[Name]>[0],
  ): Promise<Awaited<ReturnType<Side[Name]>>>
  stop(): Promise<void>
}

type Question = { readonly id: number; readonly name: string; readonly question: unknown }
type Answer = { readonly id: number; readonly value?: unknown; readonly error?: string }

/** Starts `test/chaos/children/<name>.ts`. */
export async function startChild<Side extends Answers>(name: string): Promise<Child<Side>> {
  const path = new URL(`./children/${name}.ts`, import.meta.url)
  const child = fork(path, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  endWithUs(child)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let questions = 0
  child.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(`${name}: ${error}`))
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended with ${code ?? signal}`))
  })
  return {
    pid: pidOf(child),
    ask(about, question) {
      const id = ++questions
      const asked = Promise.withResolvers<unknown>()
      waiting.set(id, asked)
      child.send({ id, name: about, question } satisfies Question)
      return asked.promise as ReturnType<Child<Side>['ask']> as never
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The other side: answers what it is asked, and ends with whoever asks. */
export function answer(side: Answers): void {
  process.once('disconnect', () => process.exit(0))
  process.on('message', ({ id, name, question }: Question) => {
    Promise.resolve()
      .then(() => side[name]?.(question as never))
      .then(
        (value) => process.send?.({ id, value } satisfies Answer),
        (error: unknown) => process.send?.({ id, error: String(error) } satisfies Answer),
      )
  })
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the child did not start')
  return pid
}
