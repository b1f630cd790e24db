import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDatabase } from '#harness/database'
import { anomaliesIn } from './check.ts'
import type { Operation } from './operation.ts'
import { runHistory } from './run.ts'

const OBJECTS = ['x', 'y']

/** As one operation after another would be told, each asked when the one before was answered. */
function history(...steps: readonly Partial<Operation>[]): Operation[] {
  return steps.map((step, n) => {
    const times = { askedAt: 2 * n, answeredAt: 2 * n + 1 }
    return { name: `o${n}`, ...times, reads: [], adds: [], outcome: 'done', ...step }
  })
}

/** Reads values of x, y in this order. */
function reads(...values: readonly (bigint | undefined)[]): Operation['reads'] {
  return values.flatMap((value, n) => (value === undefined ? [] : [{ object: OBJECTS[n] ?? '', value }]))
}

function add(object: string, amount: bigint): Operation['adds'][number] {
  return { object, amount }
}

/** Both are under way at once. */
const together = { askedAt: 10, answeredAt: 20 }

function kinds(operations: readonly Operation[]): string[] {
  return anomaliesIn(operations).map(({ kind }) => kind)
}

test('what happened one after another is clean', () => {
  const clean = history(
    { adds: [add('x', 1n)] },
    { reads: reads(1n, 0n) },
    { reads: reads(1n), adds: [add('y', 1n)] },
    { reads: reads(1n, 1n), adds: [add('x', 2n), add('y', 2n)] },
    { reads: reads(3n, 3n) },
    { reads: reads(3n), adds: [add('x', 4n)], outcome: 'refused' },
  )
  assert.deepEqual(anomaliesIn(clean), [])
})

test('operations that are under way at once may come in any order, but in one', () => {
  const writes = history({ ...together, adds: [add('x', 1n)] }, { ...together, adds: [add('y', 1n)] })
  const looks = (...values: [bigint, bigint][]) =>
    values.map(([x, y], n): Operation => {
      return { name: `r${n}`, ...together, reads: reads(x, y), adds: [], outcome: 'done' }
    })
  assert.deepEqual(anomaliesIn([...writes, ...looks([0n, 0n], [0n, 1n], [1n, 1n])]), [])
  assert.deepEqual(kinds([...writes, ...looks([1n, 0n], [0n, 1n])]), ['write skew'])
})

test('two who both read the same and both write over it: a lost update', () => {
  const update = (amount: bigint) => ({ ...together, reads: reads(0n), adds: [add('x', amount)] })
  assert.deepEqual(kinds(history(update(1n), update(2n))), ['lost update'])
})

test('what was done and is gone in the end: a lost update', () => {
  const found = kinds(
    history(
      { ...together, adds: [add('x', 1n)] },
      { ...together, adds: [add('x', 2n)] },
      { askedAt: 30, answeredAt: 31, reads: reads(2n) },
    ),
  )
  assert.ok(found.includes('lost update'), found.join())
})

test('two who each read what the other writes, and neither sees it: a write skew', () => {
  const one = { ...together, reads: reads(0n), adds: [add('y', 1n)] }
  const other = { ...together, reads: reads(undefined, 0n), adds: [add('x', 1n)] }
  assert.deepEqual(kinds(history(one, other)), ['write skew'])
})

test('who does not see what was answered before he asked: a stale read', () => {
  assert.deepEqual(kinds(history({ adds: [add('x', 1n)] }, { reads: reads(0n) }, { reads: reads(1n) })), ['stale read'])
})

test('who has seen something and sees it no more: a stale read', () => {
  const write = { askedAt: 0, answeredAt: 100, adds: [add('x', 1n)] }
  assert.deepEqual(kinds(history(write, { reads: reads(1n) }, { reads: reads(0n) })), ['stale read'])
})

test('half of what was added together: a read skew', () => {
  const both = { ...together, adds: [add('x', 1n), add('y', 1n)] }
  assert.deepEqual(kinds(history(both, { ...together, reads: reads(1n, 0n) })), ['read skew'])
})

test('what was refused or never asked for is not seen', () => {
  assert.deepEqual(kinds(history({ adds: [add('x', 1n)], outcome: 'refused' }, { reads: reads(1n) })), [
    'read of what was refused',
  ])
  assert.deepEqual(kinds(history({ adds: [add('x', 1n)] }, { reads: reads(5n) })), ['read of what was never asked for'])
})

test('any one read of a clean history that is made older is found', () => {
  const clean = history(
    ...Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0 ? { adds: [add('x', 1n << BigInt(n / 2))] } : { reads: reads((1n << BigInt((n + 1) / 2)) - 1n) },
    ),
  )
  assert.deepEqual(anomaliesIn(clean), [])
  for (const [n, { reads: of }] of clean.entries()) {
    const [read] = of
    if (!read) continue
    const older = clean.with(n, {
      ...history({})[0],
      ...clean[n],
      reads: [{ ...read, value: read.value >> 1n }],
    } as Operation)
    assert.ok(kinds(older).length > 0, `o${n}`)
  }
})

test('two platforms on one database leave a clean history', async (t) => {
  const { url } = await createDatabase(t)
  const { anomalies, line } = await runHistory(t, { databaseUrl: url, seed: 'unit', operations: 150 })
  t.diagnostic(line)
  assert.deepEqual(anomalies, [])
})
