import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kernel/clock'
import { endWithUs } from './end-with-us.ts'
import type { Seams } from './preload.ts'

/** A real `millrace start`, in a process of its own that can be killed, stopped and started again. */
export type PlatformProcess = {
  readonly name: string
  readonly directory: string
  readonly url: string
  /** Resolves once it has said that it is ready, however often it has to be started for that. */
  start(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves with its exit code when it is gone. */
  end(): Promise<number | null>
  freeze(): void
  thaw(): void
  tamper(seams: Seams): void
  /** Times it ended without being told to. */
  crashes(): number
}

export type PlatformSettings = {
  readonly name: string
  readonly port: number
  readonly databaseUrl: string
  readonly directory: string
  readonly dataDir: string
  /** The whole of `millrace.config.mts`. */
  readonly config: object
  readonly mutant: string | undefined
}

const main = join(import.meta.dirname, '../../src/cli/main.ts')
const preload = new URL('./preload.ts', import.meta.url).href
const RETRY_MS = 300
const START_MS_MAX = 120_000

export function platformProcess(settings: PlatformSettings): PlatformProcess {
  const { name, port, directory } = settings
  const log = join(directory, 'log')
  let child: ChildProcess | undefined
  let isExpected = true
  let crashes = 0

  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'millrace.config.mts'), `export default ${JSON.stringify(settings.config, null, 2)}\n`)

  const note = (what: string): void => {
    appendFileSync(log, `[${new Date(systemClock.now()).toISOString()} ${name} ${what}]\n`)
  }

  const launch = (): Promise<boolean> => {
    isExpected = false
    note('is started')
    const started = spawn(process.execPath, ['--import', preload, main, 'start'], {
      cwd: directory,
      env: environmentOf(settings),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    child = started
    endWithUs(started)
    started.on('error', () => {})
    const ready = Promise.withResolvers<boolean>()
    const write = (text: string): void => {
      appendFileSync(log, text)
      if (text.includes('Millrace is ready')) ready.resolve(true)
    }
    started.stdout?.setEncoding('utf8').on('data', write)
    started.stderr?.setEncoding('utf8').on('data', write)
    started.once('exit', (code, signal) => {
      note(`ended with ${code ?? signal}`)
      if (!isExpected) crashes++
      ready.resolve(false)
    })
    return ready.promise
  }
  const gone = async (signal: NodeJS.Signals): Promise<number | null> => {
    isExpected = true
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null
    const exited = once(child, 'exit')
    note(`is sent ${signal}`)
    child.kill(signal)
    // A stopped process takes no notice of anything but its end.
    if (signal !== 'SIGKILL') child.kill('SIGCONT')
    await exited
    return child.exitCode
  }

  return {
    name,
    directory,
    url: `http://127.0.0.1:${port}`,
    async start() {
      const deadline = systemClock.monotonicMs() + START_MS_MAX
      // With the database away it ends at once, and whatever supervises it starts it again.
      while (!(await launch())) {
        crashes--
        if (systemClock.monotonicMs() > deadline) throw new Error(`${name} did not start: see ${log}`)
        await systemClock.sleep(RETRY_MS)
      }
    },
    async kill() {
      await gone('SIGKILL')
    },
    end: () => gone('SIGTERM'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    tamper: (seams) => void (child?.connected && child.send(seams, () => {})),
    crashes: () => crashes,
  }
}

function environmentOf({ port, databaseUrl, dataDir, mutant }: PlatformSettings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MILLRACE_|OTEL_|DATABASE_URL$|NODE_)/.test(name))
  return {
    ...Object.fromEntries(inherited),
    DATABASE_URL: databaseUrl,
    MILLRACE_PORT: String(port),
    MILLRACE_DATA_DIR: dataDir,
    MILLRACE_LOG_LEVEL: 'warn',
    ...(mutant === undefined ? {} : { CHAOS_MUTANT: mutant }),
  }
}
