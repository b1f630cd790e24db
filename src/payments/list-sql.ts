import { type Database, type SqlValue, statement } from '#kernel/database'

/** What a list may be narrowed by. Times are instants as PostgreSQL reads them. */
export type PaymentFilter = {
  readonly status?: string | undefined
  readonly merchant?: string | undefined
  /** Keyed digest of the customer reference. */
  readonly customer?: string | undefined
  readonly currency?: string | undefined
  /** Inclusive. */
  readonly createdAfter?: string | undefined
  /** Exclusive. */
  readonly createdBefore?: string | undefined
}

/** Where in a list a payment stands. `createdAt` is a text of fixed width: a Date would lose its microseconds. */
export type PaymentPlace = { readonly createdAt: string; readonly id: string }

export type PaymentQuery = {
  readonly tenant: string
  readonly mode: string
  readonly filter: PaymentFilter
  readonly after: PaymentPlace | undefined
}

/** Payments that one question looks at for filters without an index: some 50 ms, however few of them fit. */
const LOOKED_AT_MAX = 20_000

/** The currency of the request, else that of the first money that moved, as a payment is shown. */
const CURRENCY = `coalesce(p.state #>> '{request,currency}',
  (select b.value ->> 'currency' from json_each(p.state -> 'booked') b where b.value ->> 'amount' <> '0' limit 1))`

const INDEXED = {
  merchant: (value: string) => `p.merchant = ${value}`,
  customer: (value: string) => `p.customer = ${value}`,
  createdAfter: (value: string) => `p.created_at >= ${value}::timestamptz`,
  createdBefore: (value: string) => `p.created_at < ${value}::timestamptz`,
} as const
const LOOKED_AT = {
  status: (value: string) => `p.status = ${value}`,
  currency: (value: string) => `${CURRENCY} = ${value}`,
} as const

const PLACE = `to_char(p.created_at, 'YYYY-MM-DD HH24:MI:SS.US+00') as "createdAt", p.id`
const NEWEST_FIRST = 'order by p.created_at desc, p.id desc'

/** Places of payments, newest first, that fit the filter: among the first after a place, where it has no index. */
export function listPlaces(database: Database, query: PaymentQuery, limit: number): Promise<PaymentPlace[]> {
  const indexed = candidatesOf(query)
  const looked = conditionsOf(LOOKED_AT, query.filter, indexed.values)
  const from =
    looked.text === ''
      ? `payments.payment p ${indexed.text}`
      : `(select p.* from payments.payment p ${indexed.text} ${NEWEST_FIRST} limit ${LOOKED_AT_MAX}) p where true ${looked.text}`
  const list = statement(
    `payments.list_${[...indexed.names, ...looked.names].join('_')}`,
    `select ${PLACE} from ${from} ${NEWEST_FIRST} limit $${indexed.values.push(limit)}`,
  )
  return database.query<PaymentPlace>(list, indexed.values)
}

/** Where the look at a filter without an index ended; undefined where it saw the end of the list. */
export async function lookedUpTo(database: Database, query: PaymentQuery): Promise<PaymentPlace | undefined> {
  const { names, text, values } = candidatesOf(query)
  const end = statement(
    `payments.looked_up_to_${names.join('_')}`,
    `select ${PLACE} from payments.payment p ${text} ${NEWEST_FIRST} offset ${LOOKED_AT_MAX - 1} limit 1`,
  )
  return (await database.query<PaymentPlace>(end, values))[0]
}

export function hasUnindexed({ status, currency }: PaymentFilter): boolean {
  return status !== undefined || currency !== undefined
}

type Conditions = { readonly names: string[]; readonly text: string; readonly values: SqlValue[] }

/**
 * One statement for each set of filters, put together of the fragments above and no text of a caller's: with `$1 is null
 * or …` in one statement for all, the planner would be without an index.
 */
function conditionsOf(
  fragments: Readonly<Partial<Record<keyof PaymentFilter, (value: string) => string>>>,
  filter: PaymentFilter,
  values: SqlValue[],
): Conditions {
  const names: string[] = []
  let text = ''
  for (const [name, condition] of Object.entries(fragments)) {
    const value = filter[name as keyof PaymentFilter]
    if (value === undefined) continue
    names.push(name)
    text += ` and ${condition(`$${values.push(value)}`)}`
  }
  return { names, text, values }
}

function candidatesOf({ tenant, mode, filter, after }: PaymentQuery): Conditions {
  const { names, text, values } = conditionsOf(INDEXED, filter, [tenant, mode])
  const where = `where p.tenant = $1 and p.mode = $2${text}`
  if (!after) return { names, text: where, values }
  const place = `($${values.push(after.createdAt)}::timestamptz, $${values.push(after.id)})`
  return { names: [...names, 'after'], text: `${where} and (p.created_at, p.id) < ${place}`, values }
}
