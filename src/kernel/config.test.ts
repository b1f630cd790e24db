import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { describeConfig, loadConfig } from './config.ts'
import { UsageError } from './errors.ts'

const secret = 'whsec_very_secret'
const stripe = `{ gateway: 'stripe', merchant: 'mer_1', webhookSecrets: ['${secret}'], apiKey: 'sk_very_secret' }`

test('without any setting there is a local server that keeps its data in .millrace', async (t) => {
  const cwd = await directory(t)
  assert.deepEqual(await loadConfig({ cwd, env: {} }), {
    port: 4040,
    host: '127.0.0.1',
    dataDir: join(cwd, '.millrace'),
    databaseUrl: undefined,
    mode: 'test',
    logLevel: 'info',
    gateways: {},
    risk: { perCustomerAMinute: 30, perMerchantAMinute: 60_000, amountMax: 100_000_000 },
    rateLimit: { perSecond: 100, burst: 200 },
    ledger: { charts: {}, templates: {} },
    webhooks: { allowHosts: [], backlogMax: 10_000 },
    archive: { dir: undefined },
    retention: { days: undefined, webhookDays: 90 },
    spool: { dir: undefined },
    backup: { dir: undefined },
    drain: { graceSeconds: 0, limitSeconds: 25 },
  })
})

test('the file changes the defaults, and the environment the file', async (t) => {
  const cwd = await directory(t, `{ port: 1, host: '::1', risk: { amountMax: 5 }, gateways: { main: ${stripe} } }`)
  const config = await loadConfig({ cwd, env: { MILLRACE_PORT: '2', MILLRACE_HOST: '', HOME: '/root' } })
  assert.equal(config.port, 2)
  assert.equal(config.host, '::1')
  assert.deepEqual(config.risk, { perCustomerAMinute: 30, perMerchantAMinute: 60_000, amountMax: 5 })
  assert.deepEqual(config.gateways.main?.webhookSecrets, [secret])
  assert.equal(config.gateways.main?.mode, 'test')
})

test('a gateway account takes the mode of the installation unless it has its own', async (t) => {
  const cwd = await directory(t, `{ mode: 'live', gateways: { a: ${stripe}, b: { ...${stripe}, mode: 'test' } } }`)
  const { gateways } = await loadConfig({ cwd, env: {} })
  assert.deepEqual([gateways.a?.mode, gateways.b?.mode], ['live', 'test'])
})

const badVariables = [
  [{ MILLRACE_PROT: '1' }, 'MILLRACE_PROT is not a setting. Did you mean MILLRACE_PORT?'],
  [{ MILLRACE_PORT: '80a' }, 'MILLRACE_PORT must be a whole number from 0 (any free port) to 65535.'],
  [{ MILLRACE_PORT: '65536' }, 'MILLRACE_PORT must be a whole number from 0 (any free port) to 65535.'],
  [{ MILLRACE_PORT: '-1' }, 'MILLRACE_PORT must be a whole number from 0 (any free port) to 65535.'],
  [{ MILLRACE_PORT: '0x10' }, 'MILLRACE_PORT must be a whole number from 0 (any free port) to 65535.'],
  [{ MILLRACE_MODE: 'prod' }, 'MILLRACE_MODE must be test or live.'],
  [
    { MILLRACE_DRAIN_GRACE_SECONDS: '-1' },
    'MILLRACE_DRAIN_GRACE_SECONDS must be a whole number of seconds from 0 to 600.',
  ],
  [{ MILLRACE_LOG_LEVEL: 'loud' }, 'MILLRACE_LOG_LEVEL must be silent, fatal, error, warn, info or debug.'],
  [{ DATABASE_URL: 'mysql://u:very_secret@h/d' }, 'DATABASE_URL must be an address that begins with postgres://.'],
  [
    { MILLRACE_ZZZZZZZZZZ: '1' },
    'MILLRACE_ZZZZZZZZZZ is not a setting. Known are DATABASE_URL, MILLRACE_PORT, MILLRACE_HOST, ' +
      'MILLRACE_DATA_DIR, MILLRACE_MODE, MILLRACE_LOG_LEVEL, MILLRACE_DRAIN_GRACE_SECONDS, ' +
      'MILLRACE_DRAIN_LIMIT_SECONDS, MILLRACE_ARCHIVE_DIR, MILLRACE_RETENTION_DAYS, MILLRACE_SPOOL_DIR, ' +
      'MILLRACE_BACKUP_DIR.',
  ],
] as const

for (const [env, message] of badVariables) {
  test(`the environment ${Object.entries(env).join()} is refused: ${message}`, async (t) => {
    await assertRefused(await directory(t), env, message)
  })
}

const inFile = 'in millrace.config.ts'
const badFiles = [
  ['{ prot: 1 }', `prot ${inFile} is not a setting. Did you mean port?`],
  [`{ port: '4040' }`, `port ${inFile} must be a whole number from 0 (any free port) to 65535.`],
  ['{ risk: { amountMax: 0 } }', `risk.amountMax ${inFile} must be a whole number of minor units.`],
  ['{ risk: { amountMx: 1 } }', `risk.amountMx ${inFile} is not a setting. Did you mean amountMax?`],
  [
    '{ retention: { webhookDays: 0 } }',
    `retention.webhookDays ${inFile} must be a whole number of days from 1 to 36500.`,
  ],
  ['{ retention: { days: 30 } }', 'retention.days needs archive.dir: what is not archived is never dropped.'],
  ['{ drain: { graceSeconds: -1 } }', `drain.graceSeconds ${inFile} must be a whole number of seconds from 0 to 600.`],
  [
    '{ drain: { graceSeconds: 30 } }',
    'drain.graceSeconds must be less than drain.limitSeconds, which counts from the signal on.',
  ],
  [
    "{ ledger: { charts: { shop: { accounts: [{ id: '{shop}:cash', type: 'asset' }] } } } }",
    `ledger.charts.shop.accounts.0.id ${inFile} must be words with colons between them, any but the first a parameter, as in merchant:{merchant}:payable.`,
  ],
  [
    '{ ledger: { templates: { sale: { version: 0, parameters: {}, transfers: [] } } } }',
    `ledger.templates.sale.version ${inFile} must be a whole number from 1 on.`,
  ],
  ['{ rateLimit: 5 }', `rateLimit ${inFile} must be an object with perSecond and burst.`],
  [
    `{ gateways: { main: { ...${stripe}, gateway: 'adyen' } } }`,
    `gateways.main.gateway ${inFile} must be stripe or simulated.`,
  ],
  [
    `{ gateways: { main: { ...${stripe}, apikey: 'x' } } }`,
    `gateways.main.apikey ${inFile} is not a setting. Did you mean apiKey?`,
  ],
  [
    `{ gateways: { main: { ...${stripe}, webhookSecrets: 'very_secret' } } }`,
    `gateways.main.webhookSecrets ${inFile} must be a list of up to 8 texts.`,
  ],
  [
    `{ gateways: { main: { ...${stripe}, webhookSecrets: [] } } }`,
    'gateways.main.webhookSecrets must name a signing secret: without one no webhook can be trusted.',
  ],
  [
    `{ gateways: { main: { ...${stripe}, apiKey: { secret: 'no name' } } } }`,
    `gateways.main.apiKey ${inFile} must be a text of 1 to 512 characters, or { secret: 'NAME' }, set by \`millrace secret set NAME\`.`,
  ],
  [
    `{ gateways: { main: { ...${stripe}, webhookSecrets: [{ name: 'STRIPE' }] } } }`,
    `gateways.main.webhookSecrets.0 ${inFile} must be a text of 1 to 512 characters, or { secret: 'NAME' }, set by \`millrace secret set NAME\`.`,
  ],
  [
    `{ mode: 'live', gateways: { sim: { gateway: 'simulated', merchant: 'mer_1' } } }`,
    'gateways.sim.gateway must not be simulated in live mode: it moves no money.',
  ],
  ['5', 'millrace.config.ts must be an object of settings.'],
  [
    '{ port: very_secret }',
    'millrace.config.ts cannot be loaded (ReferenceError); to see where, run: node millrace.config.ts',
  ],
  [
    `{ port: 'very_secret }`,
    'millrace.config.ts cannot be loaded (SyntaxError); to see where, run: node millrace.config.ts',
  ],
] as const

for (const [text, message] of badFiles) {
  test(`a file with ${text} is refused: ${message}`, async (t) => {
    await assertRefused(await directory(t, text), {}, message)
  })
}

test('a gateway without a merchant, or of a bad name, is refused by name', async (t) => {
  const missing = await directory(t, `{ gateways: { main: { gateway: 'stripe' } } }`)
  await assert.rejects(
    loadConfig({ cwd: missing, env: {} }),
    /^UsageError: gateways\.main\.merchant in .* must be mer_/,
  )
  const misnamed = await directory(t, `{ gateways: { 'My Shop': ${stripe} } }`)
  await assert.rejects(loadConfig({ cwd: misnamed, env: {} }), /^UsageError: gateways\.My Shop in .* small letters/)
})

test('a file without a default export is refused', async (t) => {
  const cwd = await directory(t)
  await writeFile(join(cwd, 'millrace.config.ts'), 'export const port = 1\n')
  await assertRefused(cwd, {}, 'millrace.config.ts must have a default export: an object of settings.')
})

test('a secret may be named instead of given, and a name is shown', async (t) => {
  const cwd = await directory(
    t,
    `{ gateways: { main: { ...${stripe}, webhookSecrets: ['${secret}', { secret: 'STRIPE_HOOK' }], apiKey: { secret: 'STRIPE_KEY' } } } }`,
  )
  const config = await loadConfig({ cwd, env: {} })
  assert.deepEqual(config.gateways.main?.webhookSecrets, [secret, { secret: 'STRIPE_HOOK' }])
  const printed = JSON.stringify(describeConfig(config))
  assert.match(printed, /"apiKey":\{"secret":"STRIPE_KEY"\}/)
  assert.match(printed, /"webhookSecrets":\["\*\*\*",\{"secret":"STRIPE_HOOK"\}\]/)
  assert.doesNotMatch(printed, /very_secret/)
})

test('beside a package.json of CommonJS the file is called .mts, and only one of the two may be there', async (t) => {
  const cwd = await directory(t)
  await writeFile(join(cwd, 'package.json'), '{ "type": "commonjs" }')
  await writeFile(join(cwd, 'millrace.config.mts'), 'const port: number = 4041\nexport default { port }\n')
  assert.equal((await loadConfig({ cwd, env: {} })).port, 4041)
  await writeFile(join(cwd, 'millrace.config.ts'), 'export default { port: 4042 }\n')
  await assertRefused(cwd, {}, 'There are both millrace.config.ts and millrace.config.mts: remove one.')
  const wrong = await directory(t)
  await writeFile(join(wrong, 'millrace.config.mts'), 'export default { prot: 1 }\n')
  await assertRefused(wrong, {}, 'prot in millrace.config.mts is not a setting. Did you mean port?')
})

test('docs/install.md has every variable of the environment, and no other', async (t) => {
  const page = await readFile(join(import.meta.dirname, '../../docs/install.md'), 'utf8')
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
  await assert.rejects(loadConfig({ cwd: await directory(t), env: { MILLRACE_ZZZZZZZZZZ: '1' } }), (error) => {
    const known = /Known are (.*)\.$/.exec(error instanceof UsageError ? error.message : '')?.[1]?.split(', ')
    assert.deepEqual(documented.sort(), known?.sort())
    return true
  })
})

test('what tests leave in the environment is no mistake', async (t) => {
  const env = { MILLRACE_TEST_DATABASE_URL: 'postgres://x', MILLRACE_CORPUS: '/x' }
  assert.equal((await loadConfig({ cwd: await directory(t), env })).databaseUrl, undefined)
})

test('a printed configuration shows no secret', async (t) => {
  const cwd = await directory(t, `{ gateways: { main: { ...${stripe}, url: 'http://u:very_secret@h:1/p' } } }`)
  const env = { DATABASE_URL: 'postgres://me:very_secret@db:5432/pay?password=very_secret' }
  const printed = JSON.stringify(describeConfig(await loadConfig({ cwd, env })))
  assert.doesNotMatch(printed, /very_secret/)
  assert.match(printed, /"databaseUrl":"postgres:\/\/db:5432\/pay"/)
  assert.match(printed, /"apiKey":"\*\*\*"/)
})

async function assertRefused(cwd: string, env: Record<string, string>, message: string): Promise<void> {
  await assert.rejects(loadConfig({ cwd, env }), (error) => {
    assert.ok(error instanceof UsageError)
    assert.equal(error.message, message)
    assert.doesNotMatch(`${error.stack} ${error.cause}`, /very_secret/)
    return true
  })
}

async function directory(t: TestContext, settings?: string): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-config-'))
  t.after(() => rm(path, { recursive: true }))
  if (settings !== undefined) await writeFile(join(path, 'millrace.config.ts'), `export default ${settings}\n`)
  return path
}
