import { existsSync, rmSync } from 'node:fs'
import { chmod, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { issueApiKey } from '#access'
import type { GatewayAccount } from '#gateways'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { systemFetch } from '#kernel/fetch'
import { seededRandom, systemRandom } from '#kernel/random'
import { writeJournal } from '#ledger'
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
  startReceiver,
} from './demo/index.ts'
import { writeTo } from './journal.ts'
import { type Platform, type SimulatedAccount, startPlatform } from './platform.ts'
import { progressLine } from './progress.ts'
import { writeSecret } from './secret-file.ts'
import { type Stopping, stopSignal } from './stop-signal.ts'
import { createUndo, type Undo } from './undo.ts'

const TENANT = 'demo'
const PAYMENTS = 500
const SEED = 1
const NOTHING_STAYS = 'Nothing of it stays.'

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
    export: { type: 'string', value: 'FILE', summary: 'Write its journal into a file, for hledger' },
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
    try {
      const { config, isTemporary } = await demoConfig(call)
      const stopping = stopSignal(call, isTemporary ? NOTHING_STAYS : undefined)
      const code = await runDemo(call, { config, payments, seed, corpus, stopping, undo })
      await undo.all()
      if (call.isSet('keep')) call.print(`Stopped. ${isTemporary ? NOTHING_STAYS : `Data stays: ${config.dataDir}`}`)
      return code
    } finally {
      await undo.all()
    }
  },
}

type Demo = {
  readonly config: Config
  readonly payments: number
  readonly seed: number
  readonly corpus: readonly string[]
  readonly stopping: Stopping
  readonly undo: Undo
}

async function runDemo(call: Call, demo: Demo): Promise<number> {
  const { payments, seed, corpus, stopping, undo } = demo
  const startedMs = systemClock.monotonicMs()
  const progress = progressLine(process.stdout)
  undo.add(async () => progress.end())
  progress.show('starting')
  const { stage, platform, corpusSecret } = await stopping.carry(setUp(demo, progress.show))

  // Whoever stops it early gets no report.
  const early = stopping.asked.then(() => undefined)
  const sections = await Promise.race([play({ stage, payments, corpus, corpusSecret }), early])
  progress.end()
  if (sections === undefined) {
    call.warn('Stopped before the end: nothing was compared. Ending what is under way …')
    return 1
  }
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
  await exportJournal(call, platform)
  if (call.isSet('keep')) await keepRunning(call, demo, platform, stage.apiKey)
  return isRight(sections) ? 0 : 1
}

async function exportJournal(call: Call, { app }: Platform): Promise<void> {
  const file = call.text('export')
  if (file === undefined) return
  const path = resolve(call.cwd, file)
  const whose = { tenant: TENANT, mode: 'test' }
  const count = await writeTo(path, (write) => writeJournal(app.databases.read, whose, 'hledger', write))
  call.print(`\nWrote ${count} entries to ${path}: hledger -f ${path} balance`)
}

async function setUp({ config, seed, stopping, undo }: Demo, progress: Stage['progress']) {
  const corpusSecret = newSecret()
  const platform = await startPlatform({ config, accounts: corpusAccounts(corpusSecret), simulated: gateways(seed) })
  undo.add(() => platform.stop())
  const carrier = systemFetch(systemClock)
  undo.add(() => carrier.close())
  // What is stopped early waits for no call that its gateway leaves hanging.
  undo.add(() => Promise.all([...platform.gateways.values()].map((gateway) => gateway.stop())))
  const stopped = new AbortController()
  void stopping.asked.then(() => stopped.abort())
  const receiver = await startReceiver(systemRandom)
  undo.add(() => receiver.close())
  const seams = {
    fetch: carrier.fetch,
    clock: systemClock,
    random: seededRandom(seed),
    receiver,
    stopping: stopped.signal,
  }
  const stage: Stage = { ...(await rolesOf(platform, seed)), ...seams, progress }
  return { stage, platform, corpusSecret }
}

/** More than the longest demo makes: its figures are counted from what the gateways remember. */
const limits = { payments: 400_000, settlementLines: 400_000, events: 1_000_000 }

/** Everything random about the gateways comes from the seed; what they report is then the same every time. */
function gateways(seed: number): SimulatedAccount[] {
  const account = (name: string, merchant: string) =>
    ({ name, merchant, gateway: 'simulated', tenant: TENANT, mode: 'test', webhookSecrets: [newSecret()] }) as const
  return [
    { ...account(ACQUIRER, 'mer_elsewhere'), isCalled: true, options: { random: seededRandom(seed + 1), limits } },
    {
      ...account(SHOP, SHOP_MERCHANT),
      isCalled: false,
      options: { random: seededRandom(seed + 2), deliver: 'hold', limits },
    },
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

async function demoConfig(call: Call): Promise<{ config: Config; isTemporary: boolean }> {
  const config = await loadConfig(call)
  const isKept = call.isSet('keep') && (call.env.MILLRACE_DATA_DIR ?? '') !== ''
  const dataDir = isKept ? config.dataDir : await temporaryDirectory()
  if (isKept && existsSync(join(dataDir, 'postgres'))) {
    throw new UsageError(`${dataDir} holds data already: set MILLRACE_DATA_DIR to a new directory for the demo.`)
  }
  const often = 1_000_000
  const demoed: Config = {
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
    webhooks: { ...config.webhooks, allowHosts: ['127.0.0.1'] },
  }
  return { config: demoed, isTemporary: !isKept }
}

/** One that the user PostgreSQL runs as can pass through. It goes when this process ends, however it ends. */
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  process.once('exit', () => remove(directory))
  await chmod(directory, 0o711)
  return directory
}

/** PostgreSQL may only just have been told to end, and write a file or two before it does. */
function remove(directory: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let attempt = 0; attempt < 20 && existsSync(directory); attempt++) {
    if (attempt > 0) Atomics.wait(pause, 0, 0, 50)
    try {
      rmSync(directory, { recursive: true, force: true })
    } catch {
      // The next attempt gets the rest.
    }
  }
}

async function keepRunning(call: Call, { config, stopping }: Demo, { url }: Platform, apiKey: string): Promise<void> {
  const path = join(config.dataDir, 'api-key')
  await writeSecret(path, apiKey)
  call.print(`\nStill running: ${url}, API key in ${path}. Ctrl-C stops it.`)
  call.print(`${await stopping.asked}: taking nothing new, ending what is under way …`)
}

function newSecret(): string {
  return `whsec_${systemRandom.bytes(24).toString('base64url')}`
}
