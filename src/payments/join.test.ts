import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ObjectReport } from '#gateways/events'
import { ACCOUNT, anyReport, lineage, shuffled } from './generated-lineages.ts'
import { join } from './join.ts'
import { emptyPayment, objectKey } from './state.ts'

const soup = fc.array(anyReport, { maxLength: 12 })

test('any order and any repetition of a lineage gives the same state', () => {
  const told = lineage.chain(({ events }) => fc.tuple(fc.constant(events.flat()), shuffled(events.flat())))
  fc.assert(
    fc.property(told, ([inOrder, outOfOrder]) => {
      assert.deepEqual(join(emptyPayment, ACCOUNT, outOfOrder), join(emptyPayment, ACCOUNT, inOrder))
    }),
  )
})

test('any order and any repetition of arbitrary reports gives the same state', () => {
  const mixed = soup.chain((reports) => fc.tuple(fc.constant(reports), shuffled(reports)))
  fc.assert(
    fc.property(mixed, ([inOrder, outOfOrder]) => {
      assert.deepEqual(join(emptyPayment, ACCOUNT, outOfOrder), join(emptyPayment, ACCOUNT, inOrder))
    }),
    { numRuns: 500 },
  )
})

test('joining what is known already changes nothing', () => {
  fc.assert(
    fc.property(soup, (reports) => {
      const once = join(emptyPayment, ACCOUNT, reports)
      assert.deepEqual(join(once, ACCOUNT, reports), once)
    }),
  )
})

test('the state survives JSON unchanged', () => {
  fc.assert(
    fc.property(soup, (reports) => {
      const state = join(emptyPayment, ACCOUNT, reports)
      assert.deepEqual(JSON.parse(JSON.stringify(state)), state)
    }),
  )
})

test('nothing that was known is forgotten: statuses and amounts only grow', () => {
  fc.assert(
    fc.property(soup, soup, (before, after) => {
      const known = join(emptyPayment, ACCOUNT, before)
      const more = join(known, ACCOUNT, after)
      for (const charge of Object.values(known.objects.charges)) {
        const later = more.objects.charges[objectKey(charge.account, charge.id)]
        assert.ok(charge.statuses.every((status) => later?.statuses.includes(status)))
        if (later?.currencies.length === charge.currencies.length) assert.ok(later.captured >= charge.captured)
      }
    }),
  )
})

test('the same id at two gateway accounts is two objects', () => {
  const report: ObjectReport = { kind: 'fee', id: 'txn_1', parents: [], amount: 5, currency: 'EUR' }
  const state = join(join(emptyPayment, 'one', [report]), 'two', [report])
  assert.deepEqual(Object.keys(state.objects.fees), ['one/txn_1', 'two/txn_1'])
})
