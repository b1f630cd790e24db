import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { accountKind } from './accounts.ts'
import { balanced, entryFor, type MoneyChange, type Purpose } from './entry.ts'

const about = { merchant: 'mer_1', effectiveAt: 1_000 }

const movements: [kind: Purpose, debit: string, credit: string][] = [
  ['capture', 'gateway:stripe_main:receivable', 'merchant:mer_1:payable'],
  ['fee', 'gateway:stripe_main:fees', 'gateway:stripe_main:receivable'],
  ['refund', 'merchant:mer_1:payable', 'gateway:stripe_main:receivable'],
  ['dispute', 'gateway:stripe_main:disputed', 'gateway:stripe_main:receivable'],
  ['dispute_reinstated', 'gateway:stripe_main:receivable', 'gateway:stripe_main:disputed'],
  ['dispute_lost', 'merchant:mer_1:payable', 'gateway:stripe_main:disputed'],
  ['payout', 'bank:stripe_main', 'gateway:stripe_main:receivable'],
]

for (const [kind, debit, credit] of movements) {
  test(`${kind} debits ${debit} and credits ${credit}`, () => {
    assert.deepEqual(entryFor(change({ kind, delta: 250 }), about).postings, [
      { account: debit, amount: 250n, currency: 'EUR' },
      { account: credit, amount: -250n, currency: 'EUR' },
    ])
  })
}

const anyChange = fc.record({
  kind: fc.constantFrom(...movements.map(([kind]) => kind)),
  delta: fc.maxSafeInteger().filter((delta) => delta !== 0),
  currency: fc.constantFrom('EUR', 'JPY'),
})

test('every entry is balanced, and on accounts whose kind is known', () => {
  fc.assert(
    fc.property(anyChange, (given) => {
      const entry = entryFor(change(given), about)
      assert.ok(balanced(entry))
      assert.ok(entry.postings.every(({ account }) => accountKind(account) !== undefined))
    }),
  )
})

test('a change and its opposite leave every account where it was', () => {
  fc.assert(
    fc.property(anyChange, (given) => {
      const there = entryFor(change(given), about)
      const back = entryFor(change({ ...given, delta: -given.delta }), about)
      there.postings.forEach((posting, index) => {
        assert.deepEqual({ ...posting, amount: -posting.amount }, back.postings[index])
      })
    }),
  )
})

test('what others than the merchant have is booked to them, on the side of the merchant', () => {
  const splits = [
    { merchant: 'mer_2', delta: 70 },
    { account: 'platform:fees:revenue', delta: 30 },
  ]
  const posted = ({ splits: others = splits, ...given }: Parameters<typeof change>[0] & Pick<MoneyChange, 'splits'>) =>
    entryFor({ ...change(given), splits: others }, about).postings.map(({ account, amount }) => [account, amount])
  const receivable = 'gateway:stripe_main:receivable'
  assert.deepEqual(posted({ kind: 'capture', delta: 250 }), [
    [receivable, 250n],
    ['merchant:mer_1:payable', -150n],
    ['merchant:mer_2:payable', -70n],
    ['platform:fees:revenue', -30n],
  ])
  // Nothing is left for the merchant: it has no posting.
  assert.deepEqual(posted({ kind: 'refund', delta: 100 }), [
    ['merchant:mer_2:payable', 70n],
    ['platform:fees:revenue', 30n],
    [receivable, -100n],
  ])
  const back = splits.map((split) => ({ ...split, delta: -split.delta }))
  assert.deepEqual(posted({ kind: 'capture', delta: -100, splits: back }), [
    [receivable, -100n],
    ['merchant:mer_2:payable', 70n],
    ['platform:fees:revenue', 30n],
  ])
})

test('a dispute lost costs what a refund costs', () => {
  const entries = [change({ kind: 'dispute', delta: 90 }), change({ kind: 'dispute_lost', delta: 90 })]
  const postings = entries.flatMap((given) => entryFor(given, about).postings)
  assert.equal(sumOn(postings, 'gateway:stripe_main:disputed'), 0n)
  assert.equal(sumOn(postings, 'merchant:mer_1:payable'), 90n)
  assert.equal(sumOn(postings, 'gateway:stripe_main:receivable'), -90n)
})

test('each revision of a key is an entry of its own', () => {
  const sources = [1, 2].map((revision) => entryFor({ ...change({ delta: 1 }), revision }, about).source)
  assert.deepEqual(sources, ['capture/stripe_main/pi_1/EUR#1', 'capture/stripe_main/pi_1/EUR#2'])
})

test('an entry is balanced in each currency, not across them', () => {
  const postings = [
    { account: 'bank:a', amount: 5n, currency: 'EUR' },
    { account: 'bank:b', amount: -5n, currency: 'USD' },
  ]
  assert.ok(!balanced({ postings }))
  assert.ok(!balanced({ postings: [] }))
})

test('a change of nothing, a fraction and an amount too large to be exact are bugs', () => {
  for (const delta of [0, 0.5, 2 ** 53]) assert.throws(() => entryFor(change({ delta }), about), /amount/)
})

test('a name with a colon cannot reach another account', () => {
  assert.throws(() => entryFor(change({ delta: 1 }), { ...about, merchant: 'a:payable' }), /colon/)
})

test('the kind of an account follows from its name', () => {
  assert.deepEqual(accountKind('merchant:mer_1:payable'), { type: 'liability', normalSide: 'credit' })
  assert.deepEqual(accountKind('gateway:a:receivable'), { type: 'asset', normalSide: 'debit' })
  assert.deepEqual(accountKind('gateway:a:disputed'), { type: 'asset', normalSide: 'debit' })
  assert.deepEqual(accountKind('gateway:a:fees'), { type: 'expense', normalSide: 'debit' })
  assert.deepEqual(accountKind('bank:a'), { type: 'asset', normalSide: 'debit' })
  for (const name of ['', 'bank', 'bank:a:b', 'gateway:a:payable', 'merchant::payable']) {
    assert.equal(accountKind(name), undefined)
  }
})

function change(given: { kind?: Purpose; delta: number; currency?: string }): MoneyChange {
  const { kind = 'capture', delta, currency = 'EUR' } = given
  return { key: `${kind}/stripe_main/pi_1/${currency}`, kind, account: 'stripe_main', delta, currency, revision: 1 }
}

function sumOn(postings: readonly { account: string; amount: bigint }[], name: string): bigint {
  return postings.filter(({ account }) => account === name).reduce((sum, { amount }) => sum + amount, 0n)
}
