import { resolve } from 'node:path'
import { type Static, Type } from 'typebox'
import { checkSettings } from './config-check.ts'
import { environmentSettings, overlaid } from './config-environment.ts'
import { readConfigFile } from './config-file.ts'
import { LedgerSettings } from './config-ledger.ts'
import { UsageError } from './errors.ts'
import { type TracingSettings, tracingSettings } from './tracing-config.ts'

const closed = { additionalProperties: false } as const
const Mode = Type.Union([Type.Literal('test'), Type.Literal('live')], { description: 'test or live' })
const HttpUrl = Type.String({ pattern: '^https?://[^\\s]+$', description: 'an http or https address' })
const Secret = Type.String({ minLength: 1, maxLength: 512, description: 'a text of 1 to 512 characters' })
const Count = Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'a whole number from 1 to 1000000' })
const Days = Type.Integer({ minimum: 1, maximum: 36_500, description: 'a whole number of days from 1 to 36500' })
const Name = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', description: 'up to 64 letters, digits, _ and -' })
const SecretSetting = Type.Union([Secret, Type.Object({ secret: Name }, closed)], {
  description: "a text of 1 to 512 characters, or { secret: 'NAME' }, set by `millrace secret set NAME`",
})

const GatewaySettings = Type.Object(
  {
    gateway: Type.Union([Type.Literal('stripe'), Type.Literal('simulated')], { description: 'stripe or simulated' }),
    tenant: Type.Optional(Name),
    mode: Type.Optional(Mode),
    merchant: Type.String({
      pattern: '^mer_[A-Za-z0-9]{1,60}$',
      description: 'mer_ and up to 60 letters and digits: the merchant of payments that begin at the gateway',
    }),
    webhookSecrets: Type.Optional(Type.Array(SecretSetting, { maxItems: 8, description: 'a list of up to 8 texts' })),
    url: Type.Optional(HttpUrl),
    apiKey: Type.Optional(SecretSetting),
  },
  { ...closed, description: 'an object with gateway, merchant, webhookSecrets and so on' },
)

/** What `millrace.config.ts` may export and the environment may set. */
const Settings = Type.Object(
  {
    port: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 65_535, description: 'a whole number from 0 (any free port) to 65535' }),
    ),
    host: Type.Optional(
      Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$', description: 'an address or name to listen on' }),
    ),
    dataDir: Type.Optional(Type.String({ minLength: 1, description: 'the path of a directory' })),
    databaseUrl: Type.Optional(
      Type.String({ pattern: '^postgres(ql)?://[^\\s]+$', description: 'an address that begins with postgres://' }),
    ),
    mode: Type.Optional(Mode),
    logLevel: Type.Optional(
      Type.Union(
        [
          Type.Literal('silent'),
          Type.Literal('fatal'),
          Type.Literal('error'),
          Type.Literal('warn'),
          Type.Literal('info'),
          Type.Literal('debug'),
        ],
        { description: 'silent, fatal, error, warn, info or debug' },
      ),
    ),
    gateways: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9_-]{1,40}$' }), GatewaySettings, {
        ...closed,
        description: 'an object with an account for each name of up to 40 small letters, digits, _ and -',
      }),
    ),
    risk: Type.Optional(
      Type.Object(
        {
          perCustomerAMinute: Type.Optional(Count),
          perMerchantAMinute: Type.Optional(Count),
          amountMax: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: Number.MAX_SAFE_INTEGER,
              description: 'a whole number of minor units',
            }),
          ),
        },
        { ...closed, description: 'an object of limits' },
      ),
    ),
    ledger: Type.Optional(LedgerSettings),
    webhooks: Type.Optional(
      Type.Object(
        {
          allowHosts: Type.Optional(
            Type.Array(Type.String({ pattern: '^[A-Za-z0-9.:\\[\\]-]{1,253}$' }), {
              maxItems: 100,
              description: 'a list of up to 100 hosts, as in a URL, that may be private addresses',
            }),
          ),
          backlogMax: Type.Optional(Count),
        },
        { ...closed, description: 'an object with allowHosts and backlogMax' },
      ),
    ),
    rateLimit: Type.Optional(
      Type.Object(
        { perSecond: Type.Optional(Count), burst: Type.Optional(Count) },
        { ...closed, description: 'an object with perSecond and burst' },
      ),
    ),
    archive: Type.Optional(
      Type.Object(
        { dir: Type.Optional(Type.String({ minLength: 1, description: 'the path of a directory' })) },
        { ...closed, description: 'an object with dir' },
      ),
    ),
    retention: Type.Optional(
      Type.Object(
        { days: Type.Optional(Days), webhookDays: Type.Optional(Days) },
        { ...closed, description: 'an object with days and webhookDays' },
      ),
    ),
    spool: Type.Optional(
      Type.Object(
        { dir: Type.Optional(Type.String({ minLength: 1, description: 'the path of a directory' })) },
        { ...closed, description: 'an object with dir' },
      ),
    ),
    backup: Type.Optional(
      Type.Object(
        { dir: Type.Optional(Type.String({ minLength: 1, description: 'the path of a directory' })) },
        { ...closed, description: 'an object with dir' },
      ),
    ),
    drain: Type.Optional(
      Type.Object(
        {
          graceSeconds: Type.Optional(
            Type.Integer({ minimum: 0, maximum: 600, description: 'a whole number of seconds from 0 to 600' }),
          ),
          limitSeconds: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 3_600, description: 'a whole number of seconds from 1 to 3600' }),
          ),
        },
        { ...closed, description: 'an object with graceSeconds and limitSeconds' },
      ),
    ),
  },
  { ...closed, description: 'an object of settings' },
)

export type Settings = Static<typeof Settings>
type Mode = Static<typeof Mode>

/** A secret itself, or the name under which it is kept sealed in the database. */
export type SecretSetting = Static<typeof SecretSetting>

export type GatewayConfig = {
  readonly gateway: 'stripe' | 'simulated'
  readonly tenant: string | undefined
  readonly mode: Mode
  readonly merchant: string
  /** Several while one is being replaced. */
  readonly webhookSecrets: readonly SecretSetting[]
  readonly url: string | undefined
  readonly apiKey: SecretSetting | undefined
}

export type Config = {
  readonly port: number
  readonly host: string
  /** Absolute. */
  readonly dataDir: string
  /** Undefined: the PostgreSQL that comes along is started in the data directory. */
  readonly databaseUrl: string | undefined
  readonly mode: Mode
  readonly logLevel: NonNullable<Settings['logLevel']>
  readonly gateways: Readonly<Record<string, GatewayConfig>>
  readonly risk: Readonly<Required<NonNullable<Settings['risk']>>>
  readonly rateLimit: Readonly<Required<NonNullable<Settings['rateLimit']>>>
  /** Charts of accounts and templates of entries, by name. */
  readonly ledger: Readonly<Required<LedgerSettings>>
  readonly webhooks: {
    /** Hosts of endpoints that may be, or lead to, private addresses. */
    readonly allowHosts: readonly string[]
    /** Deliveries of one endpoint that may be open; what comes on top waits in its stream. */
    readonly backlogMax: number
  }
  readonly archive: {
    /** Absolute. Undefined: nothing is archived. */
    readonly dir: string | undefined
  }
  readonly retention: {
    /** Days for which the log keeps events that are archived; undefined: for ever. */
    readonly days: number | undefined
    /** Days for which endpoints can have messages again. */
    readonly webhookDays: number
  }
  readonly spool: {
    /** Absolute. Undefined: `spool` in the data directory. */
    readonly dir: string | undefined
  }
  readonly backup: {
    /** Absolute: where backups are, and where the database's WAL is kept as it is written. Undefined: nowhere. */
    readonly dir: string | undefined
  }
  /** How a process ends that is asked to. */
  readonly drain: {
    /** How long requests are still taken while `/readyz` says no: longer than a load balancer needs to notice. */
    readonly graceSeconds: number
    /** From the signal on, the grace included: what has not ended by then is left. */
    readonly limitSeconds: number
  }
  /** From the standard OpenTelemetry variables; absent: nothing is traced. */
  readonly tracing?: TracingSettings
}

/**
 * Settings of `millrace.config.ts` (or `.mts`) in `cwd`, and over them those of the environment. Whatever is unknown
 * or wrong is refused by name, with what would be right; no value is ever repeated in the error.
 */
export async function loadConfig(from: {
  cwd: string
  env: Readonly<Record<string, string | undefined>>
}): Promise<Config> {
  const { name, settings } = await readConfigFile(from.cwd)
  const file = checkSettings(Settings, settings, (path) => (path === '' ? name : `${path} in ${name}`))
  const { values, variableOf } = environmentSettings(from.env)
  const environment = checkSettings(Settings, values, variableOf)
  const tracing = tracingSettings(from.env)
  return { ...withDefaults(overlaid(file, environment), from.cwd), ...(tracing ? { tracing } : {}) }
}

/** The configuration as it may be printed: secrets and passwords are masked. */
export function describeConfig(config: Config): unknown {
  return {
    ...config,
    databaseUrl: withoutPassword(config.databaseUrl),
    ...(config.tracing ? { tracing: { ...config.tracing, url: withoutPassword(config.tracing.url) } } : {}),
    gateways: Object.fromEntries(
      Object.entries(config.gateways).map(([account, gateway]) => [account, describeGateway(gateway)]),
    ),
  }
}

const masked = '***'

function describeGateway(gateway: GatewayConfig): unknown {
  return {
    ...gateway,
    url: withoutPassword(gateway.url),
    apiKey: gateway.apiKey === undefined ? undefined : describeSecret(gateway.apiKey),
    webhookSecrets: gateway.webhookSecrets.map(describeSecret),
  }
}

/** A name reveals nothing. */
function describeSecret(secret: SecretSetting): SecretSetting {
  return typeof secret === 'string' ? masked : secret
}

/** Only what is surely harmless is kept: passwords hide in queries too. */
function withoutPassword(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  if (!URL.canParse(text)) return masked
  const { protocol, host, pathname } = new URL(text)
  return `${protocol}//${host}${pathname}`
}

function withDefaults(settings: Settings, cwd: string): Config {
  const mode = settings.mode ?? 'test'
  const gateways = Object.entries(settings.gateways ?? {})
  return {
    port: settings.port ?? 4040,
    host: settings.host ?? '127.0.0.1',
    dataDir: resolve(cwd, settings.dataDir ?? '.millrace'),
    databaseUrl: settings.databaseUrl,
    mode,
    logLevel: settings.logLevel ?? 'info',
    gateways: Object.fromEntries(gateways.map(([account, gateway]) => [account, toGateway(account, gateway, mode)])),
    risk: { perCustomerAMinute: 30, perMerchantAMinute: 60_000, amountMax: 100_000_000, ...settings.risk },
    rateLimit: { perSecond: 100, burst: 200, ...settings.rateLimit },
    ledger: { charts: {}, templates: {}, ...settings.ledger },
    webhooks: { allowHosts: [], backlogMax: 10_000, ...settings.webhooks },
    archive: { dir: settings.archive?.dir === undefined ? undefined : resolve(cwd, settings.archive.dir) },
    retention: toRetention(settings),
    spool: { dir: settings.spool?.dir === undefined ? undefined : resolve(cwd, settings.spool.dir) },
    backup: { dir: settings.backup?.dir === undefined ? undefined : resolve(cwd, settings.backup.dir) },
    drain: toDrain(settings.drain),
  }
}

function toRetention({ archive, retention }: Settings): Config['retention'] {
  const { days, webhookDays = 90 } = retention ?? {}
  if (days === undefined || archive?.dir !== undefined) return { days, webhookDays }
  throw new UsageError('retention.days needs archive.dir: what is not archived is never dropped.')
}

function toDrain(settings: Settings['drain']): Config['drain'] {
  const drain = { graceSeconds: 0, limitSeconds: 25, ...settings }
  if (drain.graceSeconds < drain.limitSeconds) return drain
  throw new UsageError('drain.graceSeconds must be less than drain.limitSeconds, which counts from the signal on.')
}

function toGateway(account: string, settings: Static<typeof GatewaySettings>, mode: Mode): GatewayConfig {
  const { gateway, tenant, merchant, url, apiKey, webhookSecrets = [] } = settings
  const config = { gateway, tenant, mode: settings.mode ?? mode, merchant, webhookSecrets, url, apiKey }
  const setting = `gateways.${account}`
  if (gateway === 'simulated' && config.mode === 'live') {
    throw new UsageError(`${setting}.gateway must not be simulated in live mode: it moves no money.`)
  }
  if (gateway === 'stripe' && webhookSecrets.length === 0) {
    throw new UsageError(`${setting}.webhookSecrets must name a signing secret: without one no webhook can be trusted.`)
  }
  return config
}
