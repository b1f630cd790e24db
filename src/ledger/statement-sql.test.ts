import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openApp } from '#harness/app'
import { addDays, addLines, balancesAt, statementLines } from './statement-sql.ts'
import { daysOf, linesOf } from './statements.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const DAY = 86_400_000
const START = Date.parse('2026-03-27T00:00:00Z')
/** Around midnights and a change to summer time, and to the millisecond. */
const anyInstant = fc
  .tuple(fc.nat({ max: 4 }), fc.constantFrom(0, 1, 3_600_000, DAY / 2, DAY - 1))
  .map(([day, within]) => START + day * DAY + within)
const anyEntry = fc.record({
  effectiveAt: anyInstant,
  time: anyInstant,
  amount: fc.integer({ min: 1, max: 1000 }),
  account: fc.constantFrom('a', 'b'),
})

test('a balance at any instant of either time is the sum of the lines up to it', async (t) => {
  const { databases, rows } = await openApp(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEntry, { maxLength: 25 }),
      fc.option(anyInstant, { nil: undefined }),
      fc.option(anyInstant, { nil: undefined }),
      async (given, effectiveAt, bookedAt) => {
        await rows('truncate ledger.line, ledger.day')
        const posted = given.map(({ effectiveAt: effective, time, amount, account }, n) => ({
          ...whose,
          key: `entry/${n}`,
          time,
          data: {
            source: `entry/${n}`,
            effectiveAt: effective,
            postings: [
              { account, amount: `${amount}`, currency: 'EUR' },
              { account: 'c', amount: `${-amount}`, currency: 'EUR' },
            ],
          },
        }))
        await databases.work.transaction({}, async (tx) => {
          await addLines(tx, posted.flatMap(linesOf))
          await addDays(tx, daysOf(posted))
        })
        const within = given.filter(
          (one) =>
            (effectiveAt === undefined || one.effectiveAt <= effectiveAt) &&
            (bookedAt === undefined || one.time <= bookedAt),
        )
        const expected = ['a', 'b'].flatMap((account) => {
          const mine = within.filter((one) => one.account === account)
          return mine.length === 0
            ? []
            : [[account, BigInt(mine.reduce((sum, { amount }) => sum + amount, 0)), BigInt(mine.length)]]
        })
        const all = await balancesAt(databases.read, { ...whose, account: undefined }, { effectiveAt, bookedAt })
        assert.deepEqual(
          all.filter(({ account }) => account !== 'c').map(({ account, debit, entries }) => [account, debit, entries]),
          expected,
        )
        assert.equal(
          all.reduce((sum, { debit, credit }) => sum + debit - credit, 0n),
          0n,
        )
      },
    ),
    { numRuns: 60 },
  )
})

test('a statement is read in pages, each line once', async (t) => {
  const { databases } = await openApp(t)
  const of = { ...whose, account: 'a', currency: 'EUR' }
  const lines = Array.from({ length: 25 }, (_, n) => ({
    ...of,
    effectiveAt: START + Math.floor(n / 5),
    source: `entry/${n % 5}-${n}`,
    place: 0,
    bookedAt: START,
    amount: '1',
  }))
  await databases.work.transaction({}, (tx) => addLines(tx, lines))
  const seen: string[] = []
  let after: Parameters<typeof statementLines>[3]
  for (;;) {
    const page = await statementLines(
      databases.read,
      of,
      { from: START, through: START + DAY, bookedAt: undefined },
      after,
      7,
    )
    seen.push(...page.map(({ source }) => source))
    const last = page.at(-1)
    if (!last) break
    after = { effectiveAt: last.effective_at.getTime(), source: last.source, place: last.place }
  }
  assert.deepEqual(seen.toSorted(), lines.map(({ source }) => source).toSorted())
})
