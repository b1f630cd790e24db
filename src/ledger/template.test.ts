import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TemplateSettings } from '#kernel/config-ledger'
import { Refusal, UsageError } from '#kernel/errors'
import { readTemplates } from './read-templates.ts'
import { fillTemplate } from './template.ts'

const sale: TemplateSettings = {
  version: 3,
  parameters: {
    buyer: 'word',
    seller: 'word',
    amount: 'amount',
    tip: 'amount',
    rate: 'basis_points',
    currency: 'currency',
  },
  transfers: [
    {
      debit: 'wallet:{buyer}',
      amount: '{amount}',
      currency: '{currency}',
      credit: [
        { account: 'platform:fees:revenue', basisPoints: '{rate}' },
        { account: 'platform:vat:payable', basisPoints: 333 },
        { account: 'wallet:{seller}:tips', amount: '{tip}' },
        { account: 'wallet:{seller}', remaining: true },
      ],
    },
  ],
}
const given = { buyer: 'ada', seller: 'bob', amount: 1000, tip: 100, rate: 250, currency: 'EUR' }

test('a template posts what its parameters say, and the parts come to the whole', () => {
  const { postings } = fillTemplate(templateOf(sale), given)
  assert.deepEqual(
    postings.map(({ account, amount, currency }) => `${account} ${amount} ${currency}`),
    [
      'wallet:ada 1000 EUR',
      'platform:fees:revenue -25 EUR',
      'platform:vat:payable -33 EUR',
      'wallet:bob:tips -100 EUR',
      'wallet:bob -842 EUR',
    ],
  )
})

test('whatever the parameters, an entry is balanced or refused, and nobody is asked to give in place of getting', () => {
  const amount = fc.integer({ min: 0, max: 5_000 })
  fc.assert(
    fc.property(amount, amount, fc.integer({ min: 0, max: 10_000 }), (whole, tip, rate) => {
      const filled = attempt(() => fillTemplate(templateOf(sale), { ...given, amount: whole, tip, rate }))
      if (filled === undefined) return
      const amounts = filled.postings.map((posting) => posting.amount)
      assert.equal(
        amounts.reduce((sum, one) => sum + one, 0n),
        0n,
      )
      assert.ok(filled.postings.every(({ account, amount: one }) => (account === 'wallet:ada' ? one > 0n : one < 0n)))
    }),
  )
})

test('parts that are more than all of it are refused, and so is a parameter that is none', () => {
  const refused = (about: object) => codeOf(() => fillTemplate(templateOf(sale), { ...given, ...about }))
  assert.equal(refused({ tip: 943 }), 'split_exceeded parameters')
  assert.equal(refused({ rate: 9_700 }), 'split_exceeded parameters')
  assert.equal(refused({ rate: 10_001 }), 'template_parameter_invalid parameters.rate')
  assert.equal(refused({ amount: 0.5 }), 'template_parameter_invalid parameters.amount')
  assert.equal(refused({ amount: -1 }), 'template_parameter_invalid parameters.amount')
  assert.equal(refused({ amount: '1000' }), 'template_parameter_invalid parameters.amount')
  assert.equal(refused({ buyer: 'ada:hidden' }), 'template_parameter_invalid parameters.buyer')
  assert.equal(refused({ bayer: 'ada' }), 'template_parameter_unknown parameters.bayer')
  const { tip: _, ...without } = given
  assert.equal(
    codeOf(() => fillTemplate(templateOf(sale), without)),
    'template_parameter_missing parameters.tip',
  )
})

test('a sweep and conditions take parameters, and a whole account may be one', () => {
  const template = templateOf({
    version: 1,
    purpose: 'collection',
    parameters: { from: 'account', most: 'amount', least: 'amount' },
    transfers: [{ debit: '{from}', credit: 'cash', amount: '{most}', currency: 'EUR', sweep: true }],
    conditions: [{ account: '{from}', currency: 'EUR', atLeast: '{least}' }],
  })
  assert.deepEqual(fillTemplate(template, { from: 'wallet:ada', most: 500, least: 20 }), {
    postings: [],
    transfers: [{ debit: 'wallet:ada', credit: 'cash', amount: 500n, currency: 'EUR', isSweep: true }],
    conditions: [{ account: 'wallet:ada', currency: 'EUR', atLeast: 20n }],
  })
  assert.equal(
    codeOf(() => fillTemplate(template, { from: 'fx:realised', most: 1, least: 0 })),
    'template_parameter_invalid parameters.from',
  )
  assert.equal(
    codeOf(() => fillTemplate(template, { from: 'cash', most: 1, least: 0 })),
    'template_parameter_invalid parameters',
  )
})

const [transfer] = sale.transfers
const withTransfer = (about: object): TemplateSettings => ({
  ...sale,
  transfers: [{ ...(transfer ?? assert.fail()), ...about }],
})
const shares = (count: number) => Array.from({ length: count }, (_, n) => ({ account: `a:${n}`, amount: 1 }))
const half = { account: 'a', basisPoints: 5_000 }
const unsound: readonly [template: TemplateSettings, line: string][] = [
  [withTransfer({ debit: 'wallet:{byer}' }), '.transfers.0.debit names the parameter byer, which there is not'],
  [withTransfer({ debit: 'wallet:{amount}' }), '.transfers.0.debit takes word or currency, and amount is amount'],
  [withTransfer({ debit: '{buyer}' }), '.transfers.0.debit takes account, and buyer is word'],
  [withTransfer({ amount: '{buyer}' }), '.transfers.0.amount takes amount, and buyer is word'],
  [withTransfer({ currency: 'EUX' }), '.transfers.0.currency must be an ISO 4217 code'],
  [withTransfer({ debit: 'fx:position:EUR' }), '.transfers.0.debit must leave accounts of currencies to conversions'],
  [
    withTransfer({ debit: [half, { ...half, basisPoints: 5_001 }] }),
    '.transfers.0.debit must not give away more than 10000 basis points',
  ],
  [withTransfer({ debit: [half] }), '.transfers.0.debit must say which account has what remains'],
  [
    withTransfer({ debit: [half, { account: 'b', amount: 5 }] }),
    '.transfers.0.debit must say which account has what remains',
  ],
  [
    withTransfer({ debit: [{ account: 'a' }] }),
    '.transfers.0.debit.0 must have one of amount, basisPoints and remaining',
  ],
  [
    withTransfer({ debit: [{ ...half, amount: 5 }] }),
    '.transfers.0.debit.0 must have one of amount, basisPoints and remaining',
  ],
  [
    withTransfer({
      debit: [
        { account: 'a', remaining: true },
        { account: 'b', remaining: true },
      ],
    }),
    '.transfers.0.debit must give what remains to one account',
  ],
  [
    { ...sale, transfers: Array.from({ length: 20 }, () => ({ ...(transfer ?? assert.fail()), debit: shares(10) })) },
    '.transfers must not make more than 200 postings',
  ],
  [withTransfer({ sweep: true }), '.transfers.0 must have one account on each side: it is a sweep'],
  [{ ...sale, parameters: { ...sale.parameters, idle: 'word' } }, '.parameters.idle is used nowhere'],
  [{ ...sale, conditions: [{ account: 'cash', currency: 'EUR' }] }, '.conditions.0 must have atLeast, atMost or both'],
]

for (const [template, about] of unsound) {
  test(`a template is refused at the start: ${about}`, () => {
    assert.throws(() => readTemplates({ bad: template }), new UsageError(`ledger.templates.bad${about}.`))
  })
}

function templateOf(settings: TemplateSettings) {
  return readTemplates({ sale: settings }).get('sale') ?? assert.fail()
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
