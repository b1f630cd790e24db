import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { type AppUnderTest, openApp, rowsOf } from '#harness/app'
import type { Database, SqlValue, Statement } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'
import { holdPage } from '../../src/ledger/hold-sql.ts'
import { searchEntries } from '../../src/ledger/search.ts'
import { type EntryFilter, searchedUpTo, searchPlaces } from '../../src/ledger/search-sql.ts'

// Lists of a ledger of 100,000 entries are read by indexes: no plan has a sequential scan of a table that grows, and none
// sorts more than it looks at. Each statement is planned as it stands, with the values of the question.

const ENTRIES = 100_000
const whose = { tenant: 'main', mode: 'test' }
const day = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 86_400_000).toISOString()

test('no list of entries or holds reads a table from one end to the other', async (t) => {
  const app = await openApp(t)
  await fill(app)
  const filters: EntryFilter[] = [
    {},
    { source: 'entry/e-5' },
    { payment: 'pay_7' },
    { payment: 'pay_7', account: 'wallet:7', currency: 'EUR', amountMin: 1n },
    { account: 'wallet:7' },
    { account: 'wallet:7', currency: 'EUR' },
    { account: 'cash', currency: 'EUR', amountMin: 900n, amountMax: 901n },
    { account: 'cash', purpose: 'rare' },
    { account: 'cash', effectiveAfter: day(3), effectiveBefore: day(5) },
    { purpose: 'rare' },
    { purpose: 'sale', currency: 'USD', bookedAfter: day(20) },
    { currency: 'USD' },
    { effectiveAfter: day(3), effectiveBefore: day(5) },
    { bookedAfter: day(3), bookedBefore: day(5) },
  ]
  const places = [undefined, { effectiveAt: '2026-01-09 00:00:00.000000+00', source: 'entry/m' }]
  for (const filter of filters) {
    for (const after of places) {
      const query = { ...whose, filter, after }
      for (const plan of await plansOf(app, async (database) => {
        await searchPlaces(database, query, 26)
        await searchedUpTo(database, query)
      })) {
        assert.doesNotMatch(plan, /Seq Scan on (?:entry|filed|line|day|balance)\b/, inspect(query))
      }
    }
  }
  const place = { placedAt: '2026-01-09 00:00:00.000000+00', id: 'm' }
  for (const which of ['all', 'held'] as const) {
    for (const after of [undefined, place]) {
      const about = { account: 'wallet:7', which, after, limit: 26 }
      const [plan = ''] = await plansOf(app, (database) => holdPage(database, whose, about))
      assert.doesNotMatch(plan, /Seq Scan/, inspect(about))
    }
  }
})

test('a filter without an index is answered in portions, and finds what there is', async (t) => {
  const app = await openApp(t)
  await fill(app)
  const found: string[] = []
  let after: Awaited<ReturnType<typeof searchEntries>>['next']
  let pages = 0
  do {
    const filter = { currency: 'EUR', amountMin: 77n, amountMax: 77n }
    const page = await searchEntries(app.databases.read, { ...whose, filter, after, limit: 25 })
    found.push(...page.entries.map(({ source }) => source))
    after = page.next
    pages++
  } while (after)
  const [{ n } = { n: 0 }] = await app.rows<{ n: number }>(
    "select count(*)::int as n from ledger.entry where 77 = any (amounts) and 'EUR' = any (currencies)",
  )
  assert.ok(n > 25)
  assert.deepEqual([found.length, new Set(found).size], [n, n])
  assert.ok(pages <= Math.ceil(n / 25) + ENTRIES / 20_000 + 1, `${pages} pages`)
})

/** A ledger as the projections would have left it: a thousand wallets, one hot account, a few payments. */
async function fill(app: AppUnderTest): Promise<void> {
  const session = { transaction_timeout: '0' }
  const patient = openDatabase({
    url: app.url,
    applicationName: 'fill',
    connectionsMax: 1,
    session,
    answerTimeoutMs: 60_000,
  })
  const from = `from generate_series(1, ${ENTRIES}) as n`
  const at = "timestamptz '2026-01-01 00:00:00Z' + n * interval '26 seconds'"
  const source = `case when n % 100 = 0 then 'pay_' || n / 1000 || '/capture/' || n || '#1' else 'entry/e-' || n end`
  const purpose = `case when n % 5000 = 0 then 'rare' else 'sale' end`
  const currency = `case when n % 3 = 0 then 'USD' else 'EUR' end`
  const amount = `(n % 997 + 1)`
  const wallet = `'wallet:' || n % 1000`
  for (const text of [
    `insert into ledger.entry (tenant, mode, source, id, purpose, accounts, amounts, currencies, effective_at, booked_at,
       event_id, traceparent)
     select 'main', 'test', ${source}, 'ent_' || n, ${purpose}, array['cash', ${wallet}], array[${amount}, -${amount}]::bigint[],
       array[${currency}, ${currency}], ${at}, ${at}, 'evt_' || n, '' ${from}`,
    `insert into ledger.filed (tenant, mode, effective_at, source, entry, purpose, payment)
     select tenant, mode, effective_at, source, id, purpose,
       case when source like 'pay%' then split_part(source, '/', 1) end from ledger.entry`,
    `insert into ledger.line (tenant, mode, account, currency, effective_at, source, place, booked_at, amount)
     select tenant, mode, account, currency, effective_at, source, place, booked_at, amount from ledger.posting`,
    `insert into ledger.balance (tenant, mode, account, currency, stripe, debit, credit, entries)
     select tenant, mode, account, currency, 0, 0, 0, 0 from ledger.line group by 1, 2, 3, 4`,
    `insert into ledger.hold (tenant, mode, id, purpose, debit, credit, amount, currency, state, fingerprint, placed_at,
       ending_id, ending_fingerprint)
     select 'main', 'test', 'h-' || n, 'hold', ${wallet}, 'cash', 1, 'EUR', case when n % 50 = 0 then 'held' else 'voided' end, '',
       ${at}, case when n % 50 > 0 then 'v-' || n end, case when n % 50 > 0 then '' end ${from}`,
  ]) {
    await patient.transaction({}, (tx) => tx.script(text))
  }
  await patient.query({ name: 'test.analyze', text: 'analyze' })
  await patient.close()
}

/** How PostgreSQL would carry out what is asked. */
async function plansOf(app: AppUnderTest, ask: (database: Database) => Promise<unknown>): Promise<string[]> {
  const { read } = app.databases
  const asked: { statement: Statement; values: readonly SqlValue[] }[] = []
  const recording: Database = {
    ...read,
    query: (statement, values = []) => {
      asked.push({ statement, values })
      return read.query(statement, values)
    },
  }
  await ask(recording)
  const plans: string[] = []
  for (const { statement, values } of asked) {
    const rows = await rowsOf<{ 'QUERY PLAN': string }>(read, `explain ${statement.text}`, values)
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'))
  }
  return plans
}
