import { join } from 'node:path'
import { issueApiKey, listApiKeys } from '#access'
import { createDiskGuard, freeBytesOf } from '#http'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { systemRandom } from '#kernel/random'
import { refuseForgetfulDisk } from '#spool'
import { accountsOf, TENANT } from './accounts.ts'
import type { Call, Command } from './command.ts'
import { drain } from './drain.ts'
import { type Platform, startPlatform } from './platform.ts'
import { keepSecret, readSecret, writeSecret } from './secret-file.ts'
import { spoolDirectory } from './spool-directory.ts'
import { CTRL_C, stopSignal } from './stop-signal.ts'

type Account = Platform['accounts'][number]

export const start: Command = {
  name: 'start',
  summary: 'Start the platform and run it until Ctrl-C',
  details: [
    'Without DATABASE_URL it brings its own PostgreSQL, with its data in MILLRACE_DATA_DIR (.millrace).',
    'The master key, the first API key and the password of the database lie there too, readable by their owner alone.',
  ],
  async run(call) {
    const startedMs = systemClock.monotonicMs()
    const stopping = stopSignal(call)
    const config = await loadConfig(call)
    const platform = await stopping.carry(startWith(config))
    let left: readonly string[] = []
    try {
      const apiKeyFile = await firstApiKey(platform, config)
      for (const line of welcome(platform, config, apiKeyFile, systemClock.monotonicMs() - startedMs)) call.print(line)
      await warnOfDisk(call, platform)
      const signal = await stopping.asked
      call.print(`${signal}: taking nothing new, ending what is under way …`)
      left = await drain(platform, { ...config.drain, clock: systemClock, hasGrace: signal !== CTRL_C })
    } finally {
      if (left.length === 0) await platform.stop()
    }
    return left.length > 0 ? giveUp(call, config, left) : farewell(call, platform)
  },
}

async function startWith(config: Config): Promise<Platform> {
  refuseForgetfulDisk(spoolDirectory(config))
  // The data directory is made by PostgreSQL's start, which knows who has to pass through it.
  const secret = (await readSecret(secretFile(config))) ?? `whsec_${systemRandom.bytes(24).toString('base64url')}`
  const { accounts, simulated } = accountsOf(config, secret)
  const platform = await startPlatform({ config, accounts, simulated })
  if (simulated.length > 0) await keepSecret(secretFile(config), () => secret)
  return platform
}

function secretFile({ dataDir }: Config): string {
  return join(dataDir, 'simulated.webhook-secret')
}

/** A key to begin with, in a file; where the file is. Made once for a database: a key that was revoked stays away. */
async function firstApiKey({ app, isWaiting }: Platform, { dataDir, mode }: Config): Promise<string> {
  const path = join(dataDir, 'api-key')
  if (isWaiting()) return path
  const kept = await readSecret(path)
  const known = await listApiKeys(app.databases.read)
  if (kept !== undefined && known.length > 0) return path
  const apiKey = await issueApiKey(app.databases.read, systemRandom, { tenant: TENANT, mode })
  await writeSecret(path, apiKey)
  await app.keys.refresh()
  return path
}

function welcome(
  { url, postgres, gateways, accounts, isWaiting }: Platform,
  { mode, databaseUrl, ...config }: Config,
  apiKeyFile: string,
  tookMs: number,
): string[] {
  const database = postgres
    ? `${postgres.dataDir} (PostgreSQL, ${postgres.adopted ? 'taken over from a process that was killed' : 'started'}, runs as ${postgres.runAs})`
    : `in PostgreSQL at ${new URL(databaseUrl ?? '').host}`
  return [
    `Millrace is ready: ${url}  (${mode} mode, after ${(tookMs / 1000).toFixed(1)} s)`,
    `  API key   ${apiKeyFile}`,
    `  data      ${database}`,
    ...(isWaiting()
      ? [`  spool     ${spoolDirectory(config)}: the database is away, and what is accepted waits here`]
      : []),
    ...accounts.map((account) => `  gateway   ${account.name}: ${whereIs(account, url, gateways)}`),
    '',
    'Try:',
    ...samples(url, apiKeyFile),
    '',
    'Ctrl-C stops it.',
  ]
}

/** Where we call it; and where it is to send its webhooks, if somebody has to tell it. */
function whereIs({ name, gateway, url: calledAt }: Account, url: string, beside: Platform['gateways']): string {
  const ours = beside.get(name)
  if (ours) return `${gateway}, at ${ours.url}`
  const webhooks = `its webhooks go to ${url}/v1/gateways/${gateway}/${name}/webhooks`
  return calledAt === undefined ? `${gateway}; ${webhooks}` : `${gateway}, at ${calledAt}; ${webhooks}`
}

/** Else the first request would be told, and nobody who started us. */
async function warnOfDisk(call: Call, { postgres }: Platform): Promise<void> {
  if (!postgres) return
  const disk = createDiskGuard({ clock: systemClock, freeBytes: () => freeBytesOf(postgres.dataDir) })
  if (!(await disk.isLow())) return
  call.warn(
    `warning: the disk that holds ${postgres.dataDir} is nearly full: payments are refused until space is freed.`,
  )
}

function samples(url: string, apiKeyFile: string): string[] {
  const key = `-H "Authorization: Bearer $(cat ${quoted(apiKeyFile)})"`
  const body = `{"amount":1999,"currency":"EUR","merchant":"mer_main","payment_method":"pm_sim_approve"}`
  return [
    `  curl ${url}/v1/payments ${key} -H "Content-Type: application/json" -H "Idempotency-Key: first" -d '${body}'`,
    `  curl ${url}/v1/trial-balance ${key}`,
    `  curl ${url}/readyz`,
  ]
}

function quoted(path: string): string {
  return /^[A-Za-z0-9/._-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

/** Ends the process: what is left would keep it alive. Nothing of it is lost, but a call may be made again. */
function giveUp(call: Call, { drain: { limitSeconds } }: Config, left: readonly string[]): never {
  call.warn(
    `Stopped after ${limitSeconds} s with something left: ${left.join('; ')}. The next process goes on with it.`,
  )
  process.exit(1)
}

function farewell(call: Call, { postgres }: Platform): number {
  call.print(postgres ? 'Stopped. PostgreSQL is stopped too; the data stays.' : 'Stopped. The data stays.')
  return 0
}
