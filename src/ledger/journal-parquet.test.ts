import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { openApp } from '#harness/app'
import { trialBalance, writeJournal } from './index.ts'
import { writeParquet } from './journal-parquet.ts'
import type { JournalRow } from './journal-sql.ts'

const whose = { tenant: 'main', mode: 'test' } as const
const asked = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }

test('the trial balance of the ledger is the sum of what Parquet has, to the last unit of every currency', async (t) => {
  const { app, databases, settle, start } = await openApp(t)
  await start()
  for (const account of ['cash', 'sales', 'fees'])
    await app.ledger.accounts.open(whose, { account, type: 'asset' }, asked)
  // More than a float can tell apart.
  const amounts: [currency: string, amount: bigint][] = [
    ['EUR', 9_007_199_254_740_993n],
    ['JPY', 7n],
    ['KWD', 1_234_567n],
    ['EUR', 1n],
  ]
  const commands = amounts.map(([currency, amount], n) => {
    const transfers = [{ debit: 'cash', credit: n % 2 ? 'sales' : 'fees', amount, currency }]
    const about = { purpose: 'sale', postings: [], conditions: [], effectiveAt: 1_700_000_000_123 }
    return { kind: 'entry' as const, id: `e-${n}`, fingerprint: `${n}`, transfers, ...about }
  })
  await app.ledger.desk.submit({ ...whose, ...asked, commands, isLinked: false })
  await settle()

  const file = await fileOf((write) => writeJournal(databases.read, whose, 'parquet', write))
  const rows = await parquetReadObjects({ file })
  assert.equal(rows.length, 8)
  const sums = new Map<string, { debit: bigint; credit: bigint }>()
  for (const { account, currency, amount } of rows) {
    const { debit, credit } = sums.get(`${account} ${currency}`) ?? { debit: 0n, credit: 0n }
    assert.equal(typeof amount, 'bigint')
    const sum = amount > 0n ? { debit: debit + amount, credit } : { debit, credit: credit - amount }
    sums.set(`${account} ${currency}`, sum)
  }
  const ours = (await trialBalance(databases.read, whose)).map(({ account, currency, debit, credit }) => {
    return [`${account} ${currency}`, { debit, credit }] as const
  })
  assert.deepEqual([...sums].toSorted(), ours.toSorted())
  assert.deepEqual(
    rows
      .map(({ currency, exponent }) => `${currency} ${exponent}`)
      .filter((text, n, all) => all.indexOf(text) === n)
      .sort(),
    ['EUR 2', 'JPY 0', 'KWD 3'],
  )
  const [first] = rows.filter(({ source }) => source === 'entry/e-0')
  assert.deepEqual([first?.place, first?.purpose, first?.effective_at], [0, 'sale', new Date(1_700_000_000_123)])
})

test('it is written a row group at a time', async () => {
  const row = (n: number): JournalRow => ({
    source: `entry/${n}`,
    id: `ent_${n}`,
    purpose: 'sale',
    accounts: ['cash', 'sales'],
    amounts: [`${n + 1}`, `${-n - 1}`],
    currencies: ['EUR', 'EUR'],
    effective_at: new Date(n),
    booked_at: new Date(n),
    traceparent: asked.traceparent,
  })
  async function* pages() {
    for (let page = 0; page < 17; page++) yield Array.from({ length: 1_000 }, (_, n) => row(page * 1_000 + n))
  }
  let pieces = 0
  const file = await fileOf((write) =>
    writeParquet(pages(), (bytes) => {
      pieces++
      return write(bytes)
    }),
  )
  assert.equal(pieces, 3)
  const { row_groups: groups, schema } = parquetMetadata(file)
  assert.deepEqual(
    groups.map(({ num_rows }) => num_rows),
    [32_768n, 1_232n],
  )
  const isFloat = schema.filter(({ type }) => type === 'FLOAT' || type === 'DOUBLE')
  assert.deepEqual(isFloat, [])
  assert.equal((await parquetReadObjects({ file, rowStart: 33_999, rowEnd: 34_000 }))[0]?.amount, -17_000n)
})

test('a ledger without entries is a file without rows', async () => {
  async function* none() {
    yield []
  }
  assert.deepEqual(await parquetReadObjects({ file: await fileOf((write) => writeParquet(none(), write)) }), [])
})

async function fileOf(write: (write: (piece: string | Uint8Array) => Promise<void>) => Promise<number>) {
  const pieces: Buffer[] = []
  await write(async (piece) => void pieces.push(Buffer.from(piece)))
  const whole = new Uint8Array(Buffer.concat(pieces))
  return whole.buffer
}
