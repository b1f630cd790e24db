import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromStripeUnits, readAmount, toStripeUnits } from './currency.ts'

for (const [currency, sent, amount] of [
  ['EUR', 1234, 1234],
  ['JPY', 500, 500],
  ['KWD', 5120, 5120],
  ['HUF', 1000, 1000],
  ['ISK', 500, 5],
  ['UGX', 500, 5],
  ['MGA', 5, 500],
] as const) {
  test(`${currency} ${sent} of Stripe's units are ${amount} minor units, both ways`, () => {
    assert.equal(fromStripeUnits(sent, currency), amount)
    assert.equal(toStripeUnits(amount, currency), sent)
  })
}

test('half a króna cannot be said, and is not rounded', () => {
  assert.equal(readAmount({ amount: 550, currency: 'isk' }, 'amount'), 'amount_unrepresentable')
})

test('half an ariary cannot be asked for', () => {
  assert.equal(toStripeUnits(50, 'MGA'), undefined)
})

for (const [name, object, reason] of [
  ['no currency', { amount: 1 }, 'currency_unknown'],
  ['a currency that is none', { amount: 1, currency: 'usdc' }, 'currency_unknown'],
  ['no amount', { currency: 'eur' }, 'amount_missing'],
  ['a number in a string', { amount: '100', currency: 'eur' }, 'amount_missing'],
  ['a fraction', { amount: 1.5, currency: 'eur' }, 'amount_missing'],
  ['more than is exact', { amount: 2 ** 53, currency: 'eur' }, 'amount_missing'],
  ['more than is exact in minor units', { amount: 2 ** 52, currency: 'mga' }, 'amount_unrepresentable'],
  ['less than nothing', { amount: -1, currency: 'eur' }, 'amount_negative'],
] as const) {
  test(`an amount is refused with its reason: ${name}`, () => assert.equal(readAmount(object, 'amount'), reason))
}
