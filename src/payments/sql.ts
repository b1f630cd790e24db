import { type Database, statement, type Tx } from '#kernel/database'
import type { PaymentStatus } from './derive.ts'
import type { PayoutState } from './payout.ts'
import type { PaymentState } from './state.ts'

export type PaymentRef = { readonly tenant: string; readonly mode: string; readonly id: string }
export const refName = ({ tenant, mode, id }: PaymentRef): string => `${tenant}/${mode}/${id}`

export type PaymentRecord = PaymentRef & {
  readonly merchant: string
  /** Keyed digest of the customer reference. */
  readonly customer: string | null
  readonly fingerprint: string | null
  /** Sealed: customer reference, description, metadata. */
  readonly details: string | null
  readonly status: PaymentStatus
  readonly state: PaymentState
}
export type PaymentRow = PaymentRecord & { readonly created_at: Date; readonly updated_at: Date }

// The limit has the planner look each of them up, and the empty texts leave it the one index that begins with the id:
// planned while the table was small, it read the whole table, or an index made for lists, at 180 µs a payment.
const LOAD_TEXT = `select p.*
   from unnest($1::text[], $2::text[], $3::text[]) as r (tenant, mode, id)
   cross join lateral (
     select tenant, mode, id, merchant, customer, fingerprint, details, status, state, created_at, updated_at
     from payments.payment
     where id = r.id and tenant || '' = r.tenant and mode || '' = r.mode
     limit 1
   ) p`
const LOAD = statement('payments.load', LOAD_TEXT)
/** Nobody else writes these while the lease of their partition holds, so they are not locked. */
export async function load(tx: Tx, refs: readonly PaymentRef[]): Promise<Map<string, PaymentRecord>> {
  const rows = await tx.query<PaymentRow>(LOAD, columnsOf(refs))
  return new Map(rows.map(({ created_at: _, updated_at: __, ...record }) => [refName(record), record]))
}

const STORE = statement(
  'payments.store',
  `with clock as materialized (select log.now() as now)
   insert into payments.payment as p (tenant, mode, id, merchant, customer, fingerprint, details, status, state,
     created_at, updated_at)
   select tenant, mode, id, merchant, customer, fingerprint, details, status, state::json, clock.now, clock.now
   from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
     as r (tenant, mode, id, merchant, customer, fingerprint, details, status, state)
   cross join clock
   on conflict (id, tenant, mode) do update set merchant = excluded.merchant, customer = excluded.customer,
     fingerprint = excluded.fingerprint, details = excluded.details, status = excluded.status,
     state = excluded.state, updated_at = excluded.updated_at`,
)
/** One array a column: json_to_recordset builds a hash table for every row. The time once: a call for each row costs 3 µs. */
export async function store(tx: Tx, payments: readonly PaymentRecord[]): Promise<void> {
  await tx.query(STORE, [
    ...columnsOf(payments),
    payments.map(({ merchant }) => merchant),
    payments.map(({ customer }) => customer),
    payments.map(({ fingerprint }) => fingerprint),
    payments.map(({ details }) => details),
    payments.map(({ status }) => status),
    payments.map(({ state }) => JSON.stringify(state)),
  ])
}

function columnsOf(refs: readonly PaymentRef[]): [string[], string[], string[]] {
  return [refs.map(({ tenant }) => tenant), refs.map(({ mode }) => mode), refs.map(({ id }) => id)]
}

const FIND = statement('payments.find', LOAD_TEXT)
/** As of the last commit, in the order of nothing. */
export function find(database: Database, refs: readonly PaymentRef[]): Promise<PaymentRow[]> {
  return database.query<PaymentRow>(FIND, columnsOf(refs))
}

const LOAD_PAYOUTS = statement(
  'payments.load_payouts',
  `select p.tenant, p.mode, p.id, p.state from json_to_recordset($1) as r (tenant text, mode text, id text)
   join payments.payout p on p.tenant = r.tenant and p.mode = r.mode and p.id = r.id`,
)
export type PayoutRecord = PaymentRef & { readonly state: PayoutState }
export async function loadPayouts(tx: Tx, refs: readonly PaymentRef[]): Promise<Map<string, PayoutRecord>> {
  const rows = await tx.query<PayoutRecord>(LOAD_PAYOUTS, [JSON.stringify(refs)])
  return new Map(rows.map((row) => [refName(row), row]))
}

const STORE_PAYOUTS = statement(
  'payments.store_payouts',
  `insert into payments.payout (tenant, mode, id, state, updated_at)
   select tenant, mode, id, state, log.now()
   from json_to_recordset($1) as r (tenant text, mode text, id text, state json)
   on conflict (tenant, mode, id) do update set state = excluded.state, updated_at = excluded.updated_at`,
)
export async function storePayouts(tx: Tx, payouts: readonly PayoutRecord[]): Promise<void> {
  await tx.query(STORE_PAYOUTS, [JSON.stringify(payouts)])
}

const BY_CUSTOMER = statement(
  'payments.by_customer',
  'select id from payments.payment where tenant = $1 and customer = $2',
)
export async function paymentsOfCustomer(database: Database, tenant: string, customer: string): Promise<string[]> {
  const rows = await database.query<{ id: string }>(BY_CUSTOMER, [tenant, customer])
  return rows.map(({ id }) => id)
}
