import assert from 'node:assert/strict'
import { test } from 'node:test'
import { currencies, exponentOf, numericOf, parseCurrency } from './currency.ts'

const facts = [
  ['EUR', 2, '978'],
  ['JPY', 0, '392'],
  ['KWD', 3, '414'],
  ['CLF', 4, '990'],
  ['HUF', 2, '348'],
  ['IQD', 3, '368'],
  ['ISK', 0, '352'],
  ['UGX', 0, '800'],
  ['MGA', 2, '969'],
  ['ALL', 2, '008'],
  ['ZWG', 2, '924'],
] as const

for (const [code, exponent, numeric] of facts) {
  test(`${code} has ${exponent} decimals and the number ${numeric}`, () => {
    const currency = parseCurrency(code)
    assert.ok(currency)
    assert.equal(exponentOf(currency), exponent)
    assert.equal(numericOf(currency), numeric)
  })
}

test('what is not an active currency with minor units is not parsed', () => {
  for (const text of ['', 'eur', 'EURO', 'EU', 'XXX', 'XTS', 'XAU', 'XDR', 'DEM', 'ABC', '__proto__', 'constructor']) {
    assert.equal(parseCurrency(text), undefined, text)
  }
})

test('every code is three capitals, every number three digits, and none occurs twice', () => {
  for (const currency of currencies) {
    assert.match(currency, /^[A-Z]{3}$/)
    assert.match(numericOf(currency), /^[0-9]{3}$/)
  }
  assert.equal(new Set(currencies).size, currencies.length)
  assert.equal(new Set(currencies.map(numericOf)).size, currencies.length)
  assert.equal(currencies.length, 165)
})
