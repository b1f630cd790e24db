import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '#kernel/random'
import { type Side, Tally } from './tally.ts'

type Thing = { readonly side: Side; readonly subject: string; readonly content: string; readonly weight: bigint }

const thing = fc.record({
  side: fc.constantFrom<Side>('log', 'table'),
  subject: fc.constantFrom('a', 'b', 'c'),
  content: fc.constantFrom('x', 'y'),
  weight: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
})

function count(tally: Tally, things: readonly Thing[]): Tally {
  for (const { side, subject, content, weight } of things) tally.add(side, [subject], content, () => side, weight)
  return tally
}

test('two sides differ in what their sums do not have in common, and in nothing else, in any order', () => {
  fc.assert(
    fc.property(fc.array(thing, { maxLength: 12 }), fc.nat(), (things, seed) => {
      const random = seededRandom(seed)
      const sums = new Map<string, bigint>()
      for (const { side, subject, content, weight } of things) {
        const name = `${subject}${content}`
        sums.set(name, (sums.get(name) ?? 0n) + (side === 'log' ? weight : -weight))
      }
      const expected = [...sums].filter(([, sum]) => sum !== 0n).map(([name]) => name.slice(0, 1))
      const first = count(new Tally(random), things)
      const found = count(first.closer(random), things.toReversed()).differences()
      assert.equal(first.differs(), expected.length > 0)
      assert.deepEqual(found.map(({ subject }) => subject[0]).sort(), [...new Set(expected)].sort())
      // What makes up the difference, and somebody who copied it from the other side.
      const mended = things.map((one) => ({ ...one, side: one.side === 'log' ? ('table' as const) : ('log' as const) }))
      assert.equal(count(new Tally(random), [...things, ...mended]).differs(), false)
    }),
  )
})

test('it says where both sides have what is not the same', () => {
  const random = seededRandom(1)
  const things: Thing[] = [
    { side: 'log', subject: 'entry', content: '7', weight: 1n },
    { side: 'table', subject: 'entry', content: '8', weight: 1n },
    { side: 'log', subject: 'other', content: '9', weight: 1n },
    { side: 'table', subject: 'other', content: '9', weight: 1n },
  ]
  const closer = count(new Tally(random), things).closer(random)
  assert.deepEqual(count(closer, things).differences(), [
    {
      subject: ['entry'],
      found: [
        { side: 'log', content: '7', place: 'log', weight: 1n },
        { side: 'table', content: '8', place: 'table', weight: 1n },
      ],
    },
  ])
})
