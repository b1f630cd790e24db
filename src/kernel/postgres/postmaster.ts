import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock'

export type StopMode = 'fast' | 'immediate'

/** What postmaster.pid says, if that process is the server of this directory: pids are used again. */
export type Postmaster = { pid: number; port: number; isReady: boolean }

const POLL_MS = 10
const STOP_MS_MAX = 30_000
const ANSWER_MS_MAX = 5_000
/** An SSLRequest: length and code, as PostgreSQL's protocol has them (section 54.7, Message Formats). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

/** The server running on this data directory, whoever started it. */
export function findPostmaster(dataDir: string): Postmaster | undefined {
  const [pid, , , port, , , , status] = readLines(join(dataDir, 'postmaster.pid'))
  if (!pid || !isPostmaster(Number(pid), dataDir)) return undefined
  return { pid: Number(pid), port: Number(port), isReady: status?.trim() === 'ready' }
}

/**
 * Whether the server answers on its port. One that was killed a moment ago still has its process and its file; the answer
 * comes from a child that it has to make for it.
 */
export function answers({ port }: Pick<Postmaster, 'port'>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: ANSWER_MS_MAX }, () => socket.write(SSL_REQUEST))
    const end = (hasAnswered: boolean): void => {
      socket.destroy()
      resolve(hasAnswered)
    }
    socket.once('data', () => end(true))
    socket.once('error', () => end(false)).once('close', () => end(false))
    socket.once('timeout', () => end(false))
  })
}

/** Whether the process is a postmaster of exactly this directory; the one test before any signal is sent. */
function isPostmaster(pid: number, dataDir: string): boolean {
  const command = commandOf(pid)
  return command.includes('postgres') && command.includes(` -D ${dataDir} `)
}

/** Where the server's socket is, as it has written down; undefined where it has none. */
export function socketOf(dataDir: string): string | undefined {
  return readLines(join(dataDir, 'postmaster.pid'))[4]?.trim() || undefined
}

/** The arguments the running server was started with, as PostgreSQL writes them down: `"-D" "/data" "-p" "5432" …`. */
export function startedWith(dataDir: string): string[] {
  const [line = ''] = readLines(join(dataDir, 'postmaster.opts'))
  return [...line.matchAll(/ "([^"]*)"/g)].map(([, argument = '']) => argument)
}

/**
 * Stops the server and returns when its process is gone. `fast` rolls back what is open and writes a checkpoint;
 * `immediate` leaves the rest to recovery, as does `fast` when it takes longer than it may.
 */
export async function stopPostmaster(pid: number, dataDir: string, mode: StopMode): Promise<void> {
  signal(pid, dataDir, mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
  if (await isGone(pid, dataDir)) return
  signal(pid, dataDir, 'SIGQUIT')
  if (await isGone(pid, dataDir)) return
  signal(pid, dataDir, 'SIGKILL')
  await isGone(pid, dataDir)
}

/**
 * A stale postmaster.pid whose number now belongs to some other process, or to a dead one nobody waits for, would
 * keep PostgreSQL from starting for ever. Our own number is one it takes for stale, since we are its parent, while
 * it still makes sure that no process of the dead server is left: removing the file would lose that.
 */
export function disarmStalePidFile(dataDir: string): void {
  const path = join(dataDir, 'postmaster.pid')
  const [pid, ...rest] = readLines(path)
  if (!pid || !exists(Number(pid)) || isPostmaster(Number(pid), dataDir)) return
  writeFileSync(path, [String(process.pid), ...rest].join('\n'))
}

function signal(pid: number, dataDir: string, name: NodeJS.Signals): void {
  if (!isPostmaster(pid, dataDir)) return
  try {
    process.kill(pid, name)
  } catch {
    // It ended in between, which is what was wanted.
  }
}

async function isGone(pid: number, dataDir: string): Promise<boolean> {
  const deadline = systemClock.monotonicMs() + STOP_MS_MAX
  while (isPostmaster(pid, dataDir)) {
    if (systemClock.monotonicMs() > deadline) return false
    await systemClock.sleep(POLL_MS)
  }
  return true
}

/** The command line, each argument followed by a space; empty for a process that is gone or waits to be buried. */
function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return `${execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()} `
  } catch {
    return ''
  }
}

function exists(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false // Not there, or another user's: PostgreSQL takes both for stale by itself.
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}
