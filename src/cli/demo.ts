import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issueApiKey } from '#access'
import type { GatewayAccount } from '#gateways'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { systemFetch } from '#kernel/fetch'
import { seededRandom, systemRandom } from '#kernel/random'
import { type Call, type Command, wholeNumber } from './command.ts'
import {
  ACQUIRER,
  AMOUNT_REFUSED,
  CORPUS,
  isRight,
  linesOf,
  play,
  readCorpus,
  SHOP,
  SHOP_MERCHANT,
  type Stage,
} from './demo/index.ts'
import { type Platform, type SimulatedAccount, startPlatform } from './platform.ts'
import { progressLine } from './progress.ts'
import { writeSecret } from './secret-file.ts'
import { stopSignal } from './stop-signal.ts'
import { createUndo } from './undo.ts'

const TENANT = 'demo'
const PAYMENTS = 500
const SEED = 1

export const demo: Command = {
  name: 'demo',
  summary: 'Play a day of payments on a real platform, and check every figure against an independent count',
  options: {
    payments: {
      type: 'string',
      value: 'N',
      summary: `Payments over the API, and as many from a gateway (${PAYMENTS})`,
    },
    seed: { type: 'string', value: 'S', summary: `Another seed is another day (${SEED})` },
    corpus: { type: 'string', value: 'DIR', summary: 'Also send the recorded Stripe events in DIR/stripe/events' },
    keep: { type: 'boolean', summary: 'Leave the platform running afterwards, until Ctrl-C' },
  },
  details: [
    'It starts the platform with a PostgreSQL of its own in a temporary directory, and simulated gateways; with --keep',
    'in MILLRACE_DATA_DIR where that is set. The exit code is 1 when any figure is not as counted.',
  ],
  async run(call) {
    const payments = wholeNumber(call, 'payments', PAYMENTS, { min: 1, max: 100_000 })
    const seed = wholeNumber(call, 'seed', SEED, { min: 0, max: Number.MAX_SAFE_INTEGER })
    const folder = call.text('corpus')
    const corpus = folder === undefined ? [] : readCorpus(folder)
    const undo = createUndo()
    const stopping = stopSignal(call)
    const played = runDemo(call, { payments, seed, corpus, stopping, undo })
    // Whoever stops it early gets no report, and nothing stays behind.
    const early = stopping.then(() => undefined)
    const result = call.isSet('keep') ? await played : await Promise.race([played, early])
    await undo.all()
    return result ?? stoppedEarly(call)
  },
}

type Demo = {
  readonly payments: number
  readonly seed: number
  readonly corpus: readonly string[]
  readonly stopping: Promise<string>
  readonly undo: ReturnType<typeof createUndo>
}

function stoppedEarly(call: Call): number {
  call.warn('Stopped before the end: nothing was compared.')
  return 1
}

async function runDemo(call: Call, { payments, seed, corpus, stopping, undo }: Demo): Promise<number> {
  const startedMs = systemClock.monotonicMs()
  const progress = progressLine(process.stdout)
  progress.show('starting')
  const config = await demoConfig(call, undo.add)
  const corpusSecret = newSecret()
  const platform = await startPlatform({ config, accounts: corpusAccounts(corpusSecret), simulated: gateways(seed) })
  undo.add(() => platform.stop())
  const carrier = systemFetch(systemClock)
  undo.add(() => carrier.close())

  const stage: Stage = {
    ...(await rolesOf(platform, seed)),
    fetch: carrier.fetch,
    clock: systemClock,
    random: seededRandom(seed),
    progress: progress.show,
  }
  const sections = await play({ stage, payments, corpus, corpusSecret })
  progress.clear()
  const seconds = ((systemClock.monotonicMs() - startedMs) / 1000).toFixed(1)
  call.print(
    `Millrace demo: ${payments} payments over the API, ${payments} reported by a gateway, seed ${seed}, ${seconds} s`,
  )
  for (const line of linesOf(sections)) call.print(line)
  call.print(
    '\nQuestions about calls whose fate was unknown were brought forward: they wait 5 to 60 seconds otherwise.',
  )
  call.print(
    isRight(sections) ? '\nEvery figure adds up.' : '\nSomething does not add up: see the lines that say WRONG.',
  )
  if (call.isSet('keep')) await keepRunning(call, { platform, config, apiKey: stage.apiKey, stopping })
  return isRight(sections) ? 0 : 1
}

/** Everything random about the gateways comes from the seed; what they report is then the same every time. */
function gateways(seed: number): SimulatedAccount[] {
  const account = (name: string, merchant: string) =>
    ({ name, merchant, gateway: 'simulated', tenant: TENANT, mode: 'test', webhookSecrets: [newSecret()] }) as const
  return [
    { ...account(ACQUIRER, 'mer_elsewhere'), isCalled: true, options: { random: seededRandom(seed + 1) } },
    { ...account(SHOP, SHOP_MERCHANT), isCalled: false, options: { random: seededRandom(seed + 2), deliver: 'hold' } },
  ]
}

function corpusAccounts(secret: string): GatewayAccount[] {
  const about = { gateway: 'stripe', tenant: TENANT, merchant: CORPUS.merchant, webhookSecrets: [secret] } as const
  return [
    { ...about, name: CORPUS.test, mode: 'test' },
    { ...about, name: CORPUS.live, mode: 'live' },
  ]
}

async function rolesOf({ url, app, gateways: started, accounts }: Platform, seed: number) {
  const [acquirer, shop] = [started.get(ACQUIRER), started.get(SHOP)]
  const shopSecret = accounts.find(({ name }) => name === SHOP)?.webhookSecrets[0]
  if (!acquirer || !shop || shopSecret === undefined) throw new Error(`the gateways of seed ${seed} did not start`)
  const database = app.databases.read
  const apiKey = await issueApiKey(database, systemRandom, { tenant: TENANT, mode: 'test' })
  await app.keys.refresh()
  return { url, apiKey, tenant: TENANT, database, acquirer, shop, shopSecret }
}

async function demoConfig(call: Call, undo: (step: () => Promise<unknown>) => void): Promise<Config> {
  const config = await loadConfig(call)
  const isKept = call.isSet('keep') && (call.env.MILLRACE_DATA_DIR ?? '') !== ''
  const dataDir = isKept ? config.dataDir : await temporaryDirectory(undo)
  if (isKept && existsSync(join(dataDir, 'postgres'))) {
    throw new UsageError(`${dataDir} holds data already: set MILLRACE_DATA_DIR to a new directory for the demo.`)
  }
  const often = 1_000_000
  return {
    ...config,
    dataDir,
    databaseUrl: undefined,
    gateways: {},
    mode: 'test',
    host: '127.0.0.1',
    port: call.isSet('keep') ? config.port : 0,
    logLevel: 'error',
    risk: { perCustomerAMinute: often, perMerchantAMinute: often, amountMax: AMOUNT_REFUSED - 1 },
    rateLimit: { perSecond: often, burst: often },
  }
}

/** One that the user PostgreSQL runs as can pass through. */
async function temporaryDirectory(undo: (step: () => Promise<unknown>) => void): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  undo(() => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o711)
  return directory
}

type Kept = { platform: Platform; config: Config; apiKey: string; stopping: Promise<string> }

async function keepRunning(call: Call, { platform, config, apiKey, stopping }: Kept): Promise<void> {
  const path = join(config.dataDir, 'api-key')
  await writeSecret(path, apiKey)
  call.print(`\nStill running: ${platform.url}, API key in ${path}. Ctrl-C stops it.`)
  await stopping
}

function newSecret(): string {
  return `whsec_${systemRandom.bytes(24).toString('base64url')}`
}
