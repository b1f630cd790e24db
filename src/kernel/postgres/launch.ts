import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { systemClock } from '#kernel/clock'
import { systemRandom } from '#kernel/random'
import type { Place } from './cluster.ts'
import { explainOutput, isPassing, StartFailure } from './failure.ts'
import { spawnAs } from './identity.ts'
import { disarmStalePidFile, findPostmaster, stopPostmaster } from './postmaster.ts'

export type Launch = {
  place: Place
  program: string
  settings: readonly string[]
  port: number | undefined
  onLog: (text: string) => void
  /** How long until it takes connections; absent: a minute. */
  readyMsMax?: number
}

type Attempt = { status: 'ready'; pid: number; port: number } | { status: 'ended'; output: string }

const POLL_MS = 10
const READY_MS_MAX = 60_000 // Recovery after a crash replays WAL first.
const ATTEMPTS_MAX = 40
const RETRY_MS = 250
const PORT_ATTEMPTS_MAX = 20
const PORT_FREE_MS_MAX = 1_000
const OUTPUT_CHARACTERS_MAX = 4_000

/**
 * Starts postgres and returns when it takes connections. Passing hindrances are waited for: processes of a killed
 * server need a moment to notice and let go, and a port found free may be taken before it is used.
 */
export async function launch(options: Launch): Promise<{ pid: number; port: number }> {
  if (options.port !== undefined) await requireFree(options.port)
  for (let attempt = 1; ; attempt++) {
    disarmStalePidFile(options.place.dataDir)
    const result = await tryLaunch(options, options.port ?? (await freePort()))
    if (result.status === 'ready') return result
    if (attempt === ATTEMPTS_MAX || !isPassing(result.output)) throw explainOutput(result.output, options.place.dataDir)
    await systemClock.sleep(RETRY_MS)
  }
}

async function tryLaunch(options: Launch, port: number): Promise<Attempt> {
  const { dataDir } = options.place
  const server = spawnServer(options, port)
  const { readyMsMax = READY_MS_MAX } = options
  const deadline = systemClock.monotonicMs() + readyMsMax
  while (!server.hasEnded()) {
    // The status line of postmaster.pid is exact: no parsing of logs, no connecting to try.
    const found = findPostmaster(dataDir)
    if (found?.isReady && found.pid === server.pid) return { status: 'ready', pid: server.pid, port }
    if (systemClock.monotonicMs() > deadline) {
      await stopPostmaster(server.pid, dataDir, 'immediate')
      throw new StartFailure(`PostgreSQL in ${dataDir} was not ready after ${readyMsMax / 1_000} s: see its log.`)
    }
    await systemClock.sleep(POLL_MS)
  }
  return { status: 'ended', output: server.output() }
}

type Server = { pid: number; hasEnded: () => boolean; output: () => string }

function spawnServer({ place, program, settings, onLog }: Launch, port: number): Server {
  let output = ''
  let hasEnded = false
  const child = spawn(program, ['-D', place.dataDir, '-p', String(port), ...settings], {
    ...spawnAs(place.identity),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // Its own process group: Ctrl-C reaches us only, and we stop our work before the database.
  })
  child.once('close', () => {
    hasEnded = true
  })
  child.once('error', (error) => {
    output += error.message
    hasEnded = true
  })
  child.stderr.on('data', (data) => {
    output = (output + data).slice(-OUTPUT_CHARACTERS_MAX)
    onLog(String(data))
  })
  child.unref()
  if ('unref' in child.stderr && typeof child.stderr.unref === 'function') child.stderr.unref()
  return { pid: child.pid ?? -1, hasEnded: () => hasEnded, output: () => output }
}

/** A server that was killed keeps its port for as long as it takes the system to bury it and its children. */
async function requireFree(port: number): Promise<void> {
  const deadline = systemClock.monotonicMs() + PORT_FREE_MS_MAX
  for (;;) {
    const error = await bind(port).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (error === undefined) return
    if (systemClock.monotonicMs() > deadline) {
      throw new StartFailure(
        `Port ${port} on 127.0.0.1, meant for PostgreSQL, is taken: stop what uses it, or choose another port.`,
        { cause: error },
      )
    }
    await systemClock.sleep(POLL_MS)
  }
}

/**
 * Below the ports that systems lend to outgoing connections (from 32768 on Linux): one of those could take the port
 * between a crash and the next start.
 */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt++) {
    const free = await bind(20_000 + Math.floor(systemRandom.unit() * 12_768)).catch(() => undefined)
    if (free !== undefined) return free
  }
  return bind(0)
}

function bind(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}
