import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChartSettings } from '#kernel/config-ledger'
import { Refusal, UsageError } from '#kernel/errors'
import { accountsOf, readCharts } from './chart.ts'
import { ACCOUNT_PATTERN } from './shapes.ts'

const merchant: ChartSettings = {
  parameters: ['merchant', 'currency'],
  accounts: [
    {
      id: 'merchant:{merchant}:reserve',
      type: 'liability',
      currency: '{currency}',
      parent: 'merchant:{merchant}',
      floor: 0,
    },
    { id: 'merchant:{merchant}', type: 'liability', metadata: { kind: 'root' } },
    { id: 'merchant:{merchant}:payable', type: 'liability', guarded: true, parent: 'merchant:{merchant}' },
  ],
}

test('a chart is opened for one set of parameters, what others are part of before them', () => {
  const accounts = accountsOf(chartOf(merchant), { merchant: 'mer_7', currency: 'EUR' })
  assert.deepEqual(accounts, [
    { account: 'merchant:mer_7', type: 'liability', metadata: { kind: 'root' } },
    { account: 'merchant:mer_7:reserve', type: 'liability', currency: 'EUR', parent: 'merchant:mer_7', floor: 0n },
    { account: 'merchant:mer_7:payable', type: 'liability', parent: 'merchant:mer_7', isGuarded: true },
  ])
})

test('one account of a chart is opened by the name that the chart has for it', () => {
  const given = { merchant: 'mer_7', currency: 'EUR' }
  const accounts = accountsOf(chartOf(merchant), given, 'merchant:{merchant}')
  assert.deepEqual(
    accounts.map(({ account }) => account),
    ['merchant:mer_7'],
  )
  assert.equal(
    codeOf(() => accountsOf(chartOf(merchant), given, 'merchant:mer_7')),
    'chart_unknown account',
  )
})

test('no value of a parameter makes an account that the chart does not have', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 70, unit: fc.constantFrom(':', '{', '}', 'a', '7', '_', '-', '\n', ' ') }),
      (value) => {
        const opened = attempt(() => accountsOf(chartOf(merchant), { merchant: value, currency: 'EUR' }))
        for (const { account } of opened ?? []) {
          assert.match(account, new RegExp(ACCOUNT_PATTERN))
          assert.ok(account.split(':').length <= 3)
        }
        assert.equal(opened !== undefined, /^[A-Za-z0-9_-]{1,64}$/.test(value))
      },
    ),
  )
})

const wrongGiven: readonly [given: Record<string, string | number>, refused: string][] = [
  [{ merchant: 'mer_7' }, 'template_parameter_missing parameters.currency'],
  [{ merchant: 'mer_7', curency: 'EUR' }, 'template_parameter_unknown parameters.curency'],
  [{ merchant: 'mer_7', currency: 'EUR', toString: 'x' }, 'template_parameter_unknown parameters.toString'],
  [{ merchant: 'mer_7', currency: 'EUX' }, 'template_parameter_invalid parameters.currency'],
  [{ merchant: 7, currency: 'EUR' }, 'template_parameter_invalid parameters.merchant'],
  [{ merchant: '', currency: 'EUR' }, 'template_parameter_invalid parameters.merchant'],
  [{ merchant: '4242424242424242', currency: 'EUR' }, 'template_parameter_invalid parameters.merchant'],
]

for (const [given, refused] of wrongGiven) {
  test(`parameters ${JSON.stringify(given)} are refused: ${refused}`, () => {
    assert.equal(
      codeOf(() => accountsOf(chartOf(merchant), given)),
      refused,
    )
  })
}

test('two accounts of a chart never become one', () => {
  const chart = chartOf({
    parameters: ['one', 'other'],
    accounts: [
      { id: 'wallet:{one}', type: 'liability' },
      { id: 'wallet:{other}', type: 'liability' },
    ],
  })
  assert.equal(accountsOf(chart, { one: 'a', other: 'b' }).length, 2)
  assert.equal(
    codeOf(() => accountsOf(chart, { one: 'a', other: 'a' })),
    'template_parameter_invalid parameters',
  )
})

const root = { id: 'shop', type: 'asset' } as const
const unsound: readonly [chart: ChartSettings, line: string][] = [
  [{ accounts: [root, { ...root }] }, 'ledger.charts.bad: the account shop is there twice.'],
  [
    { accounts: [{ ...root, parent: 'house' }] },
    'ledger.charts.bad.accounts.0.parent: the chart has no account house.',
  ],
  [
    { parameters: ['merchant'], accounts: [{ id: 'merchant:{mechant}', type: 'liability' }] },
    'ledger.charts.bad.accounts.0: the chart has no parameter mechant.',
  ],
  [{ parameters: ['merchant'], accounts: [root] }, 'ledger.charts.bad.parameters: merchant is used by no account.'],
  [
    {
      accounts: [
        { ...root, parent: 'shop:a' },
        { id: 'shop:a', type: 'asset', parent: 'shop:b' },
        { id: 'shop:b', type: 'asset', parent: 'shop' },
      ],
    },
    'ledger.charts.bad: the account shop is a part of itself.',
  ],
  [{ accounts: [{ ...root, parent: 'shop' }] }, 'ledger.charts.bad: the account shop is a part of itself.'],
  [{ accounts: [{ ...root, currency: 'EUX' }] }, 'ledger.charts.bad.accounts.0.currency must be an ISO 4217 code.'],
  [
    { accounts: [{ ...root, floor: 5, ceiling: 4 }] },
    'ledger.charts.bad.accounts.0.floor: floor must not be above ceiling.',
  ],
  [
    { accounts: [{ ...root, floor: 5, guarded: false }] },
    'ledger.charts.bad.accounts.0.guarded: guarded must be true where there is a limit.',
  ],
  [
    { parameters: ['m'], accounts: [{ id: 'merchant:{m}:payable', type: 'asset' }] },
    'ledger.charts.bad.accounts.0.type: merchant:{m}:payable is an account of payments: its type is liability, and it grows by credits.',
  ],
  [
    { parameters: ['c'], accounts: [{ id: 'fx:realised', type: 'income' }] },
    'ledger.charts.bad.accounts.0.id must leave accounts of currencies to conversions.',
  ],
]

for (const [chart, line] of unsound) {
  test(`a chart is refused at the start: ${line}`, () => {
    assert.throws(() => readCharts({ good: merchant, bad: chart }), new UsageError(line))
  })
}

function chartOf(settings: ChartSettings) {
  return readCharts({ one: settings }).get('one') ?? assert.fail()
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    assert.ok(error instanceof Refusal)
    return undefined
  }
}

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof Refusal)
    return `${error.code} ${error.field}`
  }
  return assert.fail('it was not refused')
}
