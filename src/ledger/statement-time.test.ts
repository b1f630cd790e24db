import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type AppUnderTest, openApp } from '#harness/app'
import { until } from '#harness/until'
import { PARTITIONS } from '#log'
import { trialBalance } from './index.ts'
import { isProvisional } from './provisional.ts'
import { statementRows } from './statement-rows.ts'
import { balancesAt, sealedThrough } from './statement-sql.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
const DAY = 86_400_000
const START = Date.parse('2026-03-27T00:00:00Z')
const ROUNDS = 6

const instant = fc
  .tuple(fc.nat({ max: 6 }), fc.constantFrom(0, 1, 3_600_000, DAY / 2, DAY - 1))
  .map(([day, within]) => START + day * DAY + within)
const late = fc.record({
  effectiveAt: instant,
  amount: fc.bigInt({ min: 1n, max: 10_000n }),
  isIn: fc.boolean(),
  round: fc.nat({ max: ROUNDS - 1 }),
})
type Late = { readonly effectiveAt: number; readonly amount: bigint; readonly isIn: boolean; readonly round: number }

test('what is booked late changes what had happened by then, and nothing of what was booked by then', async (t) => {
  const app = await openApp(t)
  await app.start()
  for (const account of ['cash', 'till']) await app.app.ledger.accounts.open(whose, { account, type: 'asset' }, asked)
  const all = fc.sample(late, { seed: 7, numRuns: 72 })
  const instants = [START - 1, ...fc.sample(instant, { seed: 8, numRuns: 6 }), START + 9 * DAY]
  const balanceOf = (round: number, effectiveAt: number): bigint =>
    all
      .filter((one) => one.round <= round && one.effectiveAt <= effectiveAt)
      .reduce((sum, { amount, isIn }) => sum + (isIn ? amount : -amount), 0n)
  const cuts: number[] = []
  let changed = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const effectiveAt of instants) {
      const seen = await balanceAt(app, { effectiveAt, bookedAt: undefined })
      if (round > 0) assert.equal(seen, balanceOf(round - 1, effectiveAt))
      if (seen !== balanceOf(ROUNDS, effectiveAt)) changed++
    }
    await bookAll(app, all, round)
    await app.settle()
    cuts.push(await nowOf(app))
    await until('the clock goes on', async () => (await nowOf(app)) > (cuts.at(-1) ?? 0))
  }
  assert.ok(changed > ROUNDS, 'late entries were late')
  // As they were asked for in every round, and as they are asked for at the end.
  for (const [round, bookedAt] of cuts.entries()) {
    for (const effectiveAt of instants) {
      const about = `${new Date(effectiveAt).toISOString()}, booked by round ${round}`
      assert.equal(await balanceAt(app, { effectiveAt, bookedAt }), balanceOf(round, effectiveAt), about)
    }
    assert.equal(await balanceAt(app, { effectiveAt: undefined, bookedAt }), balanceOf(round, START + 9 * DAY))
    const accounts = await trialBalance(app.databases.read, whose, { effectiveAt: instants[3], bookedAt })
    assert.equal(
      accounts.reduce((sum, { debit, credit }) => sum + debit - credit, 0n),
      0n,
    )
  }
  // A statement of any stretch ties out with the balances before and at its end, as of any round.
  const read = app.databases.read
  const of = { ...whose, account: 'till', currency: 'EUR' }
  for (const [n, from] of instants.entries()) {
    const [through, bookedAt, round] = [instants[(n + 3) % instants.length] ?? 0, cuts[n % ROUNDS] ?? 0, n % ROUNDS]
    if (through < from) continue
    const rows = (
      await Array.fromAsync(statementRows({ database: read, of, range: { from, through, bookedAt } }))
    ).flat()
    const [opening, closing] = [BigInt(rows.at(0)?.balance ?? ''), BigInt(rows.at(-1)?.balance ?? '')]
    assert.deepEqual([opening, closing], [balanceOf(round, from - 1), balanceOf(round, through)])
    const lines = rows.filter((row) => row.kind === 'line')
    const moved = lines.reduce((sum, { debit, credit }) => sum + BigInt(debit) - BigInt(credit), 0n)
    assert.equal(opening + moved, closing)
    const within = (one: Late) => one.round <= round && one.effectiveAt >= from && one.effectiveAt <= through
    assert.equal(lines.length, all.filter(within).length)
  }
})

test('an answer is provisional until all that it counts is sealed', async (t) => {
  const app = await openApp(t)
  assert.equal(await sealedThrough(app.databases.read), undefined)
  const open = (partition: number, firstAt: number) =>
    app.rows(
      `insert into ledger.open_block (partition, number, entries, first_offset, last_offset, first_ms, last_ms, roots, previous)
       values ($1, 2, 1, 5, 5, $2, $2, '{}', '')`,
      [partition, firstAt],
    )
  for (let partition = 1; partition < PARTITIONS; partition++) await open(partition, START + partition)
  assert.equal(await sealedThrough(app.databases.read), undefined)
  await open(0, START)
  const sealed = await sealedThrough(app.databases.read)
  assert.equal(sealed, START - 1)
  const cases: [bookedAt: number | undefined, lastBookedAt: number | undefined, provisional: boolean][] = [
    [undefined, undefined, false],
    [undefined, START - 1, false],
    [undefined, START, true],
    [undefined, Number.POSITIVE_INFINITY, true],
    // The last of a day that is summed up may be later than what was asked for.
    [START - 1, START + DAY, false],
    [START, START + DAY, true],
    [START + DAY, START - 1, false],
  ]
  for (const [bookedAt, lastBookedAt, provisional] of cases) {
    assert.equal(isProvisional(sealed, { bookedAt, lastBookedAt }), provisional, `${bookedAt} ${lastBookedAt}`)
  }
  assert.equal(isProvisional(undefined, { bookedAt: undefined, lastBookedAt: START }), true)
})

async function bookAll({ app }: AppUnderTest, all: readonly Late[], round: number): Promise<void> {
  const commands = all.flatMap(({ effectiveAt, amount, isIn, round: of }, n) => {
    if (of !== round) return []
    const [debit, credit] = isIn ? ['till', 'cash'] : ['cash', 'till']
    const about = { id: `e-${n}`, fingerprint: 'f', purpose: 'entry', postings: [], conditions: [] } as const
    return [{ kind: 'entry', ...about, transfers: [{ debit, credit, amount, currency: 'EUR' }], effectiveAt } as const]
  })
  const outcomes = await app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false })
  assert.ok(outcomes.every(({ status }) => status === 'done'))
}

async function balanceAt({ databases }: AppUnderTest, asOf: Parameters<typeof balancesAt>[2]): Promise<bigint> {
  const [row] = await balancesAt(databases.read, { ...whose, account: 'till' }, asOf)
  return row ? row.debit - row.credit : 0n
}

async function nowOf(app: AppUnderTest): Promise<number> {
  const [row] = await app.rows<{ ms: number }>('select floor(extract(epoch from log.now()) * 1000)::float8 as ms')
  return row?.ms ?? 0
}
