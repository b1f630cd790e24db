import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SimulatedGateway, startSimulatedGateway } from '#gateways/simulated'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import { createDatabase } from './database.ts'
import { temporaryDirectory } from './directory.ts'
import { until } from './until.ts'

type Ending = { after(work: () => Promise<void>): void }

export type InstalledProcess = {
  readonly child: ChildProcess
  readonly url: string
  out(): string
  err(): string
  /** Its exit code; null where a signal ended it. */
  readonly ended: Promise<number | null>
  signal(name: NodeJS.Signals): void
}

export type Installation = {
  readonly databaseUrl: string
  readonly gateway: SimulatedGateway
  /** Made by the first process that starts. */
  apiKey(): string
  /** Where the gateway's webhooks go from now on. */
  reportTo(url: string): void
  /** `millrace start`, ready when this returns and gone with the test. */
  start(about?: Started): Promise<InstalledProcess>
}

export type InstallationOptions = {
  /** A database of the tests' own server unless given. */
  readonly databaseUrl?: string
  /** The address under which the gateway is called, for whoever wants to stand before it. */
  readonly inFrontOf?: (gatewayUrl: string) => Promise<string>
}

export type Started = {
  /** What is run: `millrace start` of this checkout unless named. */
  readonly program?: string
  /** Settings of its own, as the source text of an object's entries. */
  readonly settings?: string
}

/** The account at the simulated gateway, as payments name its merchant. */
export const MERCHANT = 'mer_main'
const ACCOUNT = 'shop'
const SECRET = 'whsec_of_an_installation'
const CHECKOUT = join(import.meta.dirname, '../../bin/millrace.js')

/**
 * What an operator of several processes has: one PostgreSQL, one directory with the master key, a gateway elsewhere, and
 * as many `millrace start` as the test asks for.
 */
export async function openInstallation(t: Ending, options: InstallationOptions = {}): Promise<Installation> {
  const databaseUrl = options.databaseUrl ?? (await createDatabase(t)).url
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  let platformUrl = 'http://127.0.0.1:1'
  const gateway = await startSimulatedGateway({
    clock: systemClock,
    random: seededRandom(1),
    webhookUrl: () => `${platformUrl}/v1/gateways/simulated/${ACCOUNT}/webhooks`,
    webhookSecret: SECRET,
    webhookAttemptsMax: 50,
  })
  t.after(() => gateway.stop())
  const gatewayUrl = (await options.inFrontOf?.(gateway.url)) ?? gateway.url
  const account = `{ gateway: 'simulated', merchant: '${MERCHANT}', url: '${gatewayUrl}', webhookSecrets: ['${SECRET}'] }`
  const settings = `gateways: { ${ACCOUNT}: ${account} }, rateLimit: { perSecond: 100000, burst: 100000 }`
  let started = 0

  return {
    databaseUrl,
    gateway,
    apiKey: () => readFileSync(join(directory.path, 'api-key'), 'utf8').trim(),
    reportTo: (url) => {
      platformUrl = url
    },
    async start({ program = CHECKOUT, settings: own = '' } = {}) {
      const cwd = join(directory.path, `process-${++started}`)
      mkdirSync(cwd)
      writeFileSync(join(cwd, 'millrace.config.mts'), `export default { ${settings}, ${own} }\n`)
      const env = {
        PATH: process.env.PATH,
        DATABASE_URL: databaseUrl,
        MILLRACE_DATA_DIR: directory.path,
        MILLRACE_PORT: '0',
        MILLRACE_LOG_LEVEL: 'warn',
      }
      return ready(t, spawn(process.execPath, [program, 'start'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] }))
    },
  }
}

async function ready(t: Ending, child: ChildProcess): Promise<InstalledProcess> {
  const text = { out: '', err: '' }
  child.stdout?.on('data', (data) => {
    text.out += data
  })
  child.stderr?.on('data', (data) => {
    text.err += data
  })
  const ended = once(child, 'close').then(([code]) => code)
  t.after(async () => {
    child.kill('SIGCONT')
    child.kill('SIGKILL')
    await ended
  })
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  await until('a process is ready', () => text.out.includes('Ctrl-C stops it.') || isOver(), 60_000)
  const url = /ready: (\S+)/.exec(text.out)?.[1]
  if (url === undefined) throw new Error(`the process ended before it was ready: ${text.err}`)
  return { child, url, out: () => text.out, err: () => text.err, ended, signal: (name) => void child.kill(name) }
}
