import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeAt, holdsCardNumber, safeEventType, safeId } from './safe.ts'

const digest = (id: string): string => `digest_of_${id.length}`

test('ids of Stripe pass as they are', () => {
  for (const id of [
    'pi_3KtoMeJDPojXS6LN0XnGDnI3',
    'ch_1',
    'py_1',
    're_1',
    'pyr_1',
    'dp_1',
    'du_1',
    'po_1',
    'txn_1',
    'evt_1',
  ])
    assert.equal(safeId(id, digest), id)
})

test('anything else is known by its digest only', () => {
  for (const id of ['Ada', 'ch_', 'ch-1', 'ch_1 ', 'plan_gold', 'ch_é', `ch_${'a'.repeat(201)}`, 'ch_4242424242424242'])
    assert.equal(safeId(id, digest), `h_${digest(id)}`)
})

test('a card number is found with any length, in the middle, and through separators', () => {
  for (const text of [
    '4222222222222',
    '378282246310005',
    '4242424242424242',
    'a4242424242424242z',
    '4242_4242_4242_4242',
  ])
    assert.ok(holdsCardNumber(text), text)
  assert.ok(holdsCardNumber('994242424242424242'))
  for (const text of ['4222222222223', '424242424242', '00000000000000', 'abc']) assert.ok(!holdsCardNumber(text), text)
})

test('a code is a word of a machine or nothing', () => {
  assert.equal(codeAt({ code: 'insufficient_funds' }, 'code'), 'insufficient_funds')
  for (const code of ['Card declined', '', 'a'.repeat(65), 4, null, 'ada_lovelace', 'whsec_5f3a', '4242424242424242'])
    assert.equal(codeAt({ code }, 'code'), undefined)
})

test('an event type that has another shape is unknown', () => {
  assert.equal(safeEventType('charge.dispute.created'), 'charge.dispute.created')
  for (const type of ['Charge', 'a b', 'a'.repeat(129), 'card.4242424242424242', 'charge.of_ada', 'sk_test_5f3a'])
    assert.equal(safeEventType(type), 'unknown')
})
