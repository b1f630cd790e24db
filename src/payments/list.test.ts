import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AppUnderTest, openApp } from '#harness/app'
import { listPayments, type PaymentPage } from './list.ts'
import type { PaymentFilter, PaymentPlace } from './list-sql.ts'

const ROWS = `insert into payments.payment (tenant, mode, id, merchant, status, state, created_at, updated_at)
  select 'main', 'test', 'pay_' || lpad(n::text, 6, '0'), 'mer_' || n % 7, case when n % 9000 = 0 then 'unknown' else 'captured' end,
    json_build_object('request', json_build_object('amount', 1, 'currency', case when n % 15000 = 1 then 'USD' else 'EUR' end,
      'captureMode', 'automatic', 'expiresAt', 0), 'booked', '{}'::json, 'operations', '{}'::json, 'objects',
      json_build_object('intents', '{}'::json, 'charges', '{}'::json, 'refunds', '{}'::json, 'disputes', '{}'::json, 'fees', '{}'::json)),
    -- Many share an instant, and instants differ by a microsecond.
    timestamptz '2026-01-01' + n / 10 * interval '1 us', timestamptz '2026-01-01'
  from generate_series($1::int, $2::int) n`

test('rare payments among many are found page by page, each once, in bounded steps', async (t) => {
  const app = await openApp(t)
  for (let from = 1; from < 50_000; from += 10_000) await app.rows(ROWS, [from, from + 9_999])
  assert.deepEqual(await walk(app, { status: 'unknown' }), [45_000, 36_000, 27_000, 18_000, 9_000])
  assert.deepEqual(await walk(app, { currency: 'USD' }), [45_001, 30_001, 15_001, 1])
  assert.deepEqual(await walk(app, { currency: 'USD', status: 'unknown' }), [])
  assert.deepEqual(await walk(app, { merchant: 'mer_3', status: 'unknown' }), [18_000])
  // What is added while the walk is under way moves no end past what was not looked at, nor back over what was shown.
  let added = 50_000
  const meanwhile = async (): Promise<void> => {
    await app.rows(ROWS, [added + 1, added + 5_000])
    added += 5_000
  }
  assert.deepEqual(await walk(app, { status: 'unknown' }, meanwhile), [45_000, 36_000, 27_000, 18_000, 9_000])
})

async function walk(
  app: AppUnderTest,
  filter: PaymentFilter,
  meanwhile = async (): Promise<void> => {},
): Promise<number[]> {
  const found: number[] = []
  let after: PaymentPlace | undefined
  for (let pages = 0; pages < 20; pages++) {
    const page: PaymentPage = await listPayments(app.databases.read, {
      tenant: 'main',
      mode: 'test',
      filter,
      after,
      limit: 2,
    })
    found.push(...page.payments.map(({ id }) => Number(id.slice(4))))
    after = page.next
    if (after === undefined) return found
    await meanwhile()
  }
  return assert.fail('the list has no end')
}
