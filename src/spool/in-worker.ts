import { Worker } from 'node:worker_threads'
import { createSpoolFiles, type SpoolFiles } from './files.ts'

/** The disk, or what writes to it, failed. Nothing of the call is kept, or all of it. */
export class SpoolFault extends Error {
  override name = 'SpoolFault'
}

/** The files as they are used: whoever asks waits, and the loop goes on. */
export type WaitedFiles = {
  readonly [Method in keyof SpoolFiles]: (
    ...args: Parameters<SpoolFiles[Method]>
  ) => Promise<ReturnType<SpoolFiles[Method]>>
}

export type OpenFiles = { readonly files: WaitedFiles; close(): Promise<void> }

export type Asked = { readonly id: number; readonly method: keyof SpoolFiles; readonly args: readonly unknown[] }
type Answered = { readonly id: number; readonly result?: unknown; readonly failure?: string }

/** The files of a directory, in a worker thread. @throws SpoolFault when the directory cannot be used. */
export async function inWorker(directory: string): Promise<OpenFiles> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { directory } })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  let end: SpoolFault | undefined

  const endWith = (reason: string): void => {
    end ??= new SpoolFault(reason)
    for (const { reject } of waiting.values()) reject(end)
    waiting.clear()
  }
  worker.on('message', ({ id, result, failure }: Answered) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (failure === undefined) asked?.resolve(result)
    else asked?.reject(new SpoolFault(failure))
  })
  worker.on('error', (error) => endWith(error instanceof Error ? error.message : 'the spool’s thread has failed'))
  worker.on('exit', () => endWith('the spool’s thread has ended'))

  const ask = <Method extends keyof SpoolFiles>(method: Method, args: readonly unknown[]) => {
    if (end) return Promise.reject(end)
    lastId += 1
    const answer = Promise.withResolvers<unknown>()
    waiting.set(lastId, answer)
    worker.postMessage({ id: lastId, method, args } satisfies Asked)
    return answer.promise
  }
  const begun = Promise.withResolvers<unknown>()
  waiting.set(0, begun)
  await begun.promise
  return {
    files: waitedFiles(ask),
    async close() {
      await worker.terminate()
    },
  }
}

/** The same without a thread: for a scheduler that owns every await. */
export function inThisThread(directory: string): OpenFiles {
  const files = createSpoolFiles(directory)
  const ask = async (method: keyof SpoolFiles, args: readonly unknown[]): Promise<unknown> => {
    try {
      return (files[method] as (...given: readonly unknown[]) => unknown)(...args)
    } catch (error) {
      throw new SpoolFault(error instanceof Error ? error.message : 'unknown', { cause: error })
    }
  }
  return { files: waitedFiles(ask), close: async () => files.abandon() }
}

type Ask = (method: keyof SpoolFiles, args: readonly unknown[]) => Promise<unknown>

function waitedFiles(ask: Ask): WaitedFiles {
  const method = <Name extends keyof SpoolFiles>(name: Name) =>
    ((...args: readonly unknown[]) => ask(name, args)) as WaitedFiles[Name]
  return {
    create: method('create'),
    adopt: method('adopt'),
    append: method('append'),
    read: method('read'),
    remove: method('remove'),
    setAside: method('setAside'),
    note: method('note'),
    asides: method('asides'),
    release: method('release'),
    abandon: method('abandon'),
  }
}
