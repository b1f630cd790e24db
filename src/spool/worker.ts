import { parentPort, workerData } from 'node:worker_threads'
import { createSpoolFiles } from './files.ts'
import type { Asked } from './in-worker.ts'

// SQLite waits for the disk, and nobody else should: each call is a message, and its result or failure another.

const { directory } = workerData as { directory: string }
const files = createSpoolFiles(directory)

parentPort?.on('message', ({ id, method, args }: Asked) => {
  try {
    const call = files[method] as (...given: readonly unknown[]) => unknown
    parentPort?.postMessage({ id, result: call(...args) })
  } catch (error) {
    parentPort?.postMessage({ id, failure: error instanceof Error ? error.message : 'unknown' })
  }
})
parentPort?.postMessage({ id: 0 })
