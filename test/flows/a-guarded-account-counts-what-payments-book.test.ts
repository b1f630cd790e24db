import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { until } from '#harness/until'
import { order, startTestPlatform, type TestPlatform } from './platform.ts'

const merchants = ['mer_a', 'mer_b', 'mer_c', 'mer_d']
const currencies = ['EUR', 'USD', 'GBP']

// A guarded account whose first movement in a currency came from a payment had nothing available in it, for good: only
// guards that were there already were moved.
test('what payments and callers book at once, in currencies an account had not held, is all available', async (t) => {
  const platform = await startTestPlatform(t)
  const open = [
    { id: 'cash', type: 'asset' },
    ...merchants.map((name) => ({ id: payable(name), type: 'liability', guarded: true })),
  ]
  for (const account of open) await platform.request('POST', '/v1/accounts', { body: JSON.stringify(account) })

  const payments = Array.from({ length: 24 }, (_, n) => {
    const splits = [{ merchant: at(merchants, n + 1), amount: 400 }]
    return platform.pay(
      { ...order, amount: 1_000, currency: at(currencies, n), merchant: at(merchants, n), splits },
      `key-${n}`,
    )
  })
  const entries = Array.from({ length: 24 }, (_, n) => {
    const transfer = { debit: 'cash', credit: payable(at(merchants, n)), amount: 10, currency: at(currencies, n + 1) }
    const body = JSON.stringify({ id: `e-${n}`, transfers: [transfer] })
    return platform.request('POST', '/v1/ledger/entries', { body })
  })
  const answers = await Promise.all([...payments, ...entries])
  assert.ok(answers.every(({ status }) => status === 201 || status === 202))

  const total = 24 * 1_000 + 24 * 10
  const shown = () => Promise.all(merchants.map((name) => amountsOf(platform, payable(name))))
  await until('all of it is booked', async () => sum((await shown()).map(({ balances }) => balances)) === total)
  await until('all of it is available', async () =>
    (await shown()).every(({ balances, available }) => isDeepStrictEqual(balances, available)),
  )
})

type Amounts = Readonly<Record<string, number>>

async function amountsOf(platform: TestPlatform, account: string): Promise<{ balances: Amounts; available: Amounts }> {
  const { balances, settings } = (await platform.request('GET', `/v1/accounts/${account}`)).body
  const all: { currency: string; balance: string }[] = Object(balances)
  const free: { currency: string; amount: string }[] = Object(settings).available
  return {
    balances: Object.fromEntries(all.map(({ currency, balance }) => [currency, Number(balance)])),
    available: Object.fromEntries(free.map(({ currency, amount }) => [currency, Number(amount)])),
  }
}

function sum(amounts: readonly Amounts[]): number {
  return amounts.flatMap((one) => Object.values(one)).reduce((total, amount) => total + amount, 0)
}

function payable(merchant: string): string {
  return `merchant:${merchant}:payable`
}

function at(names: readonly string[], place: number): string {
  return names[place % names.length] ?? ''
}
