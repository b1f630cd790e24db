import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { temporaryDirectory } from '#harness/directory'

/** Seconds until `millrace start` says that it is ready, with its database made by an earlier start. */
export async function warmStart(): Promise<number> {
  const directory = temporaryDirectory()
  try {
    await startAndStop(directory.path)
    return await startAndStop(directory.path)
  } finally {
    await directory.remove()
  }
}

async function startAndStop(dataDir: string): Promise<number> {
  const program = new URL('../bin/millrace.js', import.meta.url).pathname
  const startedAt = performance.now()
  const child = spawn(process.execPath, [program, 'start'], {
    env: { ...process.env, MILLRACE_DATA_DIR: dataDir, MILLRACE_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await new Promise<void>((ready) => {
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
      if (output.includes('is ready')) ready()
    })
  })
  const seconds = (performance.now() - startedAt) / 1000
  child.kill('SIGINT')
  await ended
  return seconds
}
