import assert from 'node:assert/strict'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { type Config, loadConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import { eventsOfKey } from '#log'
import { startTestPlatform, type TestPlatform } from './platform.ts'

const EUR = 'EUR'
const { ledger } = await exampleConfig()

test('a chart is opened whole or not at all, and again it is the same', async (t) => {
  const platform = await startTestPlatform(t, { ledger })
  const ask = asking(platform)
  const body = { chart: 'seller', parameters: { merchant: 'mer_7' } }
  const first = await ask('POST', '/v1/ledger/accounts', body)
  assert.equal(first.status, 201, JSON.stringify(first.body))
  assert.deepEqual(
    accountsIn(first.body).map(({ id, parent, floor, guarded, metadata }) => [id, parent, floor, guarded, metadata]),
    [
      ['seller:mer_7', null, null, false, { kind: 'group' }],
      ['seller:mer_7:reserve', 'seller:mer_7', '0', true, null],
      ['merchant:mer_7:payable', 'seller:mer_7', null, true, null],
    ],
  )
  assert.deepEqual((await ask('POST', '/v1/ledger/accounts', body)).body, first.body)

  // The last account of the chart is there with other settings: the two before it must not be opened.
  await ask('POST', '/v1/accounts', { id: 'merchant:mer_8:payable', type: 'liability', floor: 5 })
  const refused = await ask('POST', '/v1/ledger/accounts', { ...body, parameters: { merchant: 'mer_8' } })
  assert.deepEqual([refused.status, refused.body.code], [409, 'account_exists'])
  assert.equal((await ask('GET', '/v1/accounts/seller:mer_8:reserve')).status, 404)

  const one = { ...body, account: 'seller:{merchant}:reserve', parameters: { merchant: 'mer_9' } }
  assert.deepEqual(
    accountsIn((await ask('POST', '/v1/ledger/accounts', one)).body).map(({ id }) => id),
    ['seller:mer_9:reserve'],
  )
  const { charts, templates } = Object((await ask('GET', '/v1/ledger/catalog')).body)
  assert.deepEqual(
    [charts[0].name, charts[0].parameters, charts[0].accounts.length],
    ['seller', { merchant: 'word' }, 3],
  )
  assert.deepEqual([templates[0].name, templates[0].version], ['marketplace_sale', 2])
})

test('an entry is posted by its template and parameters: alone, in bulk, dry, and keeps what made it', async (t) => {
  const platform = await startTestPlatform(t, { ledger })
  const ask = asking(platform)
  await openAccounts(ask)
  const sale = {
    template: 'marketplace_sale',
    parameters: { buyer: 'ada', seller: 'bob', amount: 999, rate: 250, currency: EUR },
  }

  const dry = await ask('POST', '/v1/ledger/entries?dry_run=true', { id: 'sale-1', ...sale })
  assert.equal(dry.status, 200, JSON.stringify(dry.body))
  const done = await ask('POST', '/v1/ledger/entries', { id: 'sale-1', ...sale })
  assert.deepEqual([done.status, done.body.source], [201, 'entry/sale-1'])
  assert.equal((await ask('POST', '/v1/ledger/entries', { id: 'sale-1', ...sale })).body.repeated, true)
  const other = { ...sale, parameters: { ...sale.parameters, rate: 251 } }
  assert.equal((await ask('POST', '/v1/ledger/entries', { id: 'sale-1', ...other })).body.code, 'id_reused')

  const bulk = await ask('POST', '/v1/ledger/entries/bulk', {
    entries: [
      { id: 'sale-2', ...sale },
      { id: 'sale-3', ...sale },
    ],
  })
  assert.deepEqual(
    Object(bulk.body).results.map(
      ({ status, refusal }: { status: string; refusal?: { code: string } }) => refusal?.code ?? status,
    ),
    ['done', 'condition_failed'],
  )
  const conditions = [{ account: 'wallet:ada', currency: EUR, at_most: 1 }]
  const unmet = await ask('POST', '/v1/ledger/entries', { id: 'sale-4', ...sale, conditions })
  assert.equal(unmet.body.code, 'condition_failed')

  assert.deepEqual(await available(ask, 'wallet:ada'), '502')
  assert.deepEqual(await available(ask, 'wallet:bob'), `${2 * (999 - 25)}`)
  const { read } = platform.app.databases
  const [event] = await eventsOfKey(read, { key: 'entry/sale-1', tenant: 'main', mode: 'test', limit: 1 })
  const made = { name: 'marketplace_sale', version: 2 }
  assert.deepEqual([Object(event?.data).template, Object(event?.data).purpose], [made, 'marketplace_sale'])
  assert.deepEqual((await ask('GET', '/v1/ledger/entries/sale-1')).body.template, made)
  assert.equal((await ask('GET', '/v1/ledger/entries/topup')).body.template, undefined)
})

test('what is wrong with a template or a chart that is asked for is named', async (t) => {
  const platform = await startTestPlatform(t, { ledger })
  const ask = asking(platform)
  const parameters = { buyer: 'ada', seller: 'bob', amount: 5, rate: 1, currency: EUR }
  const entry = { id: 'a', template: 'marketplace_sale', parameters }
  const { rate: _, ...without } = parameters
  const cases: [path: string, body: object, status: number, code: string, field: string][] = [
    ['entries', { ...entry, template: 'sale' }, 422, 'template_unknown', 'template'],
    ['entries', { ...entry, template: 'constructor' }, 422, 'template_unknown', 'template'],
    ['entries', { ...entry, parameters: without }, 422, 'template_parameter_missing', 'parameters.rate'],
    [
      'entries',
      { ...entry, parameters: { ...parameters, reat: 1 } },
      422,
      'template_parameter_unknown',
      'parameters.reat',
    ],
    [
      'entries',
      { ...entry, parameters: { ...parameters, amount: '5' } },
      422,
      'template_parameter_invalid',
      'parameters.amount',
    ],
    [
      'entries',
      { ...entry, parameters: { ...parameters, amount: 1e300 } },
      422,
      'template_parameter_invalid',
      'parameters.amount',
    ],
    [
      'entries',
      { ...entry, parameters: { ...parameters, buyer: 'a:b' } },
      422,
      'template_parameter_invalid',
      'parameters.buyer',
    ],
    ['entries', { ...entry, parameters: { ...parameters, buyer: ['ada'] } }, 400, 'body_invalid', 'parameters.buyer'],
    ['entries', { ...entry, parameters: { ...parameters, amount: 0 } }, 400, 'body_invalid', 'parameters'],
    ['entries', { ...entry, purpose: 'other' }, 400, 'body_invalid', 'purpose'],
    ['entries', { id: 'a', reverses: 'entry/b', template: 'marketplace_sale' }, 400, 'body_invalid', 'template'],
    ['entries', { id: 'a', parameters }, 400, 'body_invalid', 'template'],
    ['accounts', { chart: 'shop' }, 422, 'chart_unknown', 'chart'],
    ['accounts', { chart: 'seller', parameters: { merchant: 'a' }, account: 'cash' }, 422, 'chart_unknown', 'account'],
    ['accounts', { chart: 'seller' }, 422, 'template_parameter_missing', 'parameters.merchant'],
    [
      'accounts',
      { chart: 'seller', parameters: { merchant: "a'; drop table" } },
      422,
      'template_parameter_invalid',
      'parameters.merchant',
    ],
    [
      'accounts',
      { chart: 'seller', parameters: { merchant: '4242424242424242' } },
      422,
      'template_parameter_invalid',
      'parameters.merchant',
    ],
  ]
  for (const [path, body, status, code, field] of cases) {
    const answer = await ask('POST', `/v1/ledger/${path}`, body)
    assert.deepEqual(
      [answer.status, answer.body.code, answer.body.field],
      [status, code, field],
      JSON.stringify(answer.body),
    )
  }
})

test('a platform does not start with a chart that is not sound, and says which', async (t) => {
  const bad = { ...ledger, charts: { loose: { accounts: [{ id: 'a', type: 'asset', parent: 'b' } as const] } } }
  await assert.rejects(
    startTestPlatform(t, { ledger: bad }),
    new UsageError('ledger.charts.loose.accounts.0.parent: the chart has no account b.'),
  )
})

type Asking = ReturnType<typeof asking>

function asking(platform: TestPlatform) {
  return (method: string, path: string, body?: object) =>
    platform.request(method, path, body === undefined ? {} : { body: JSON.stringify(body) })
}

async function openAccounts(ask: Asking): Promise<void> {
  await ask('POST', '/v1/accounts', { id: 'cash', type: 'asset' })
  await ask('POST', '/v1/accounts', { id: 'fees', type: 'income' })
  for (const name of ['ada', 'bob'])
    await ask('POST', '/v1/accounts', { id: `wallet:${name}`, type: 'liability', floor: 0 })
  const transfers = [{ debit: 'cash', credit: 'wallet:ada', amount: 2500, currency: EUR }]
  await ask('POST', '/v1/ledger/entries', { id: 'topup', transfers })
}

async function available(ask: Asking, account: string): Promise<string> {
  const { settings } = (await ask('GET', `/v1/accounts/${account}`)).body
  return Object(settings).available[0].amount
}

function accountsIn({ accounts }: { readonly [name: string]: unknown }): Record<string, unknown>[] {
  return Object(accounts)
}

/** As somebody has it who copies the example. */
async function exampleConfig(): Promise<Config> {
  const directory = temporaryDirectory()
  try {
    const example = join(import.meta.dirname, '../../docs/examples/marketplace.config.ts')
    copyFileSync(example, join(directory.path, 'millrace.config.ts'))
    return await loadConfig({ cwd: directory.path, env: {} })
  } finally {
    await directory.remove()
  }
}
