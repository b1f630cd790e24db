import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  noScenario,
  parseScenario,
  type Scenario,
  type SimulatedGateway,
  startSimulatedGateway,
} from '#gateways/simulated'
import { systemClock } from '#kernel/clock'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { seededRandom, systemRandom } from '#kernel/random'
import { type Call, type Command, wholeNumber } from './command.ts'
import { keepSecret } from './secret-file.ts'
import { stopSignal } from './stop-signal.ts'

const PORT = 4041
/** The account of a first start, so that both find each other without a word. */
const ACCOUNT = 'simulated'
const DAY_MS = 24 * 60 * 60 * 1000

/** A heap of 310 MB when full. */
const LIMITS = { payments: 100_000, settlementLines: 200_000, events: 20_000, idempotencyKeys: 100_000 }

export const simulator: Command = {
  name: 'simulator',
  summary: 'Run a simulated gateway of its own, until Ctrl-C',
  options: {
    port: { type: 'string', value: 'N', summary: `Where it listens, on loopback; 0 is any free port (${PORT})` },
    seed: { type: 'string', value: 'S', summary: 'The same seed and requests make the same ids, fates and delays' },
    scenario: { type: 'string', value: 'FILE', summary: 'Rules for what becomes of which call, as JSON' },
    'webhook-url': { type: 'string', value: 'URL', summary: 'Where webhooks go (the platform on this machine)' },
    'webhook-secret-file': {
      type: 'string',
      value: 'FILE',
      summary: 'The secret that signs webhooks; made if it is not there',
    },
  },
  details: [
    'It speaks the shape of Stripe, moves no money, and is refused in live mode. Payment methods, amounts and scenarios',
    'decide what happens: docs/simulator.md. It pays out daily, and forgets what is old: nothing is on disk.',
  ],
  async run(call) {
    const { asked } = stopSignal(call, 'Nothing is kept.')
    const config = await loadConfig(call)
    if (config.mode === 'live') {
      throw new UsageError('millrace simulator is for test mode: it moves no money. Live mode is set.')
    }
    const options = await optionsOf(call, config)
    const gateway = await startOn(options)
    try {
      for (const line of welcome(gateway, options)) call.print(line)
      call.print(`${await asked}: stopping.`)
    } finally {
      await gateway.stop()
    }
    return 0
  },
}

type Options = {
  readonly port: number
  readonly seed: number
  readonly scenarioFile: string | undefined
  readonly scenario: Scenario
  readonly webhookUrl: string
  readonly secretFile: string
  readonly webhookSecret: string
}

async function optionsOf(call: Call, { port, dataDir }: Config): Promise<Options> {
  const scenarioFile = call.text('scenario')
  const seedOfChance = systemRandom.bytes(4).readUInt32BE()
  const ours = `http://127.0.0.1:${port}/v1/gateways/simulated/${ACCOUNT}/webhooks`
  const secretFile = resolve(call.cwd, call.text('webhook-secret-file') ?? join(dataDir, 'simulated.webhook-secret'))
  return {
    port: wholeNumber(call, 'port', PORT, { min: 0, max: 65_535 }),
    seed: wholeNumber(call, 'seed', seedOfChance, { min: 0, max: Number.MAX_SAFE_INTEGER }),
    scenarioFile,
    scenario: scenarioFile === undefined ? noScenario : await readScenario(call, scenarioFile),
    webhookUrl: urlOf(call.text('webhook-url') ?? ours),
    secretFile,
    webhookSecret: await keepSecret(secretFile, () => `whsec_${systemRandom.bytes(24).toString('base64url')}`),
  }
}

async function readScenario({ cwd }: Call, file: string): Promise<Scenario> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch((cause) => {
    throw new UsageError(`--scenario must name a file that can be read: ${file} cannot.`, { cause })
  })
  return parseScenario(text, file)
}

function urlOf(text: string): string {
  if (/^https?:\/\/[^\s]+$/.test(text) && URL.canParse(text)) return text
  throw new UsageError('--webhook-url must be an http or https address.')
}

async function startOn({ port, seed, scenario, webhookUrl, webhookSecret }: Options): Promise<SimulatedGateway> {
  const daily = { payouts: { every_ms: DAY_MS }, ...scenario }
  const about = { clock: systemClock, random: seededRandom(seed), limits: LIMITS }
  try {
    return await startSimulatedGateway({ ...about, port, scenario: daily, webhookUrl, webhookSecret })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    throw new UsageError(`--port must be free: something listens on ${port} already.`, { cause: error })
  }
}

function welcome({ url }: SimulatedGateway, { seed, scenarioFile, webhookUrl, secretFile }: Options): string[] {
  const intent = `{"amount":1999,"currency":"eur","confirm":true,"payment_method":"pm_sim_approve"}`
  return [
    `The simulated gateway is ready: ${url}  (test mode only, seed ${seed})`,
    `  webhooks  to ${webhookUrl}`,
    `  secret    ${secretFile}`,
    `  scenario  ${scenarioFile ?? 'none: payment methods and amounts decide'}`,
    '',
    'For the platform, in millrace.config.ts:',
    `  gateways: { ${ACCOUNT}: { gateway: 'simulated', merchant: 'mer_main', url: '${url}',`,
    `    webhookSecrets: [readFileSync('${secretFile}', 'utf8').trim()] } }`,
    '',
    'Try:',
    `  curl ${url}/v1/payment_intents -d '${intent}'`,
    `  curl ${url}/control/advance -d '{"seconds":86400}'`,
    `  curl ${url}/control`,
    '',
    'Ctrl-C stops it.',
  ]
}
