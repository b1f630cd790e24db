import { type Database, type SqlValue, statement } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import type { TemplateRef } from './template.ts'

/** What entries may be looked for by. Instants as PostgreSQL reads them; amounts in minor units, without their sign. */
export type EntryFilter = {
  readonly source?: string | undefined
  readonly payment?: string | undefined
  readonly account?: string | undefined
  readonly purpose?: string | undefined
  readonly currency?: string | undefined
  readonly amountMin?: bigint | undefined
  readonly amountMax?: bigint | undefined
  /** Inclusive; those named before are exclusive. */
  readonly effectiveAfter?: string | undefined
  readonly effectiveBefore?: string | undefined
  readonly bookedAfter?: string | undefined
  readonly bookedBefore?: string | undefined
}

/** Where in the list an entry stands: by when it happened. `effectiveAt` is a text: a Date would lose its microseconds. */
export type EntryPlace = { readonly effectiveAt: string; readonly source: string }

export type EntryQuery = Whose & { readonly filter: EntryFilter; readonly after: EntryPlace | undefined }

/** Entries that one question looks at for filters without an index: some 100 ms, however few of them fit. */
const LOOKED_AT_MAX = 20_000

const NEWEST_FIRST = 'order by c.effective_at desc, c.source desc'
const PLACE = `to_char(c.effective_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') as "effectiveAt", c.source`

/** One by one, by its key: `offset 0` keeps the planner from reading the whole table to join it. */
const ITS_ENTRY = 'select * from ledger.entry where source = c.source and tenant = $1 and mode = $2 offset 0'

type Name = keyof EntryFilter
/** How a filter reads, given its parameter. */
type Fragments = Partial<Record<Name, (value: string) => string>>

const names = [
  'source',
  'payment',
  'account',
  'purpose',
  'currency',
  'amountMin',
  'amountMax',
  'effectiveAfter',
  'effectiveBefore',
  'bookedAfter',
  'bookedBefore',
] as const satisfies readonly Name[]

/** Where to look: by an index in the order of the list, which serves some of the filters. */
type Base = { readonly when?: Name; readonly from: string; readonly serves: Fragments; readonly isOfLines?: true }

const effective: Fragments = {
  effectiveAfter: (value) => `c.effective_at >= ${value}::timestamptz`,
  effectiveBefore: (value) => `c.effective_at < ${value}::timestamptz`,
}
const ofAll: Base = { from: 'ledger.filed c', serves: effective }
/** The most telling first. */
const bases: readonly Base[] = [
  { when: 'source', from: 'ledger.entry c', serves: { source: (value) => `c.source = ${value}`, ...effective } },
  { when: 'payment', from: 'ledger.filed c', serves: { payment: (value) => `c.payment = ${value}`, ...effective } },
  {
    when: 'account',
    from: 'ledger.line c',
    serves: {
      account: (value) => `c.account = ${value}`,
      currency: (value) => `c.currency = ${value}`,
      ...effective,
    },
    isOfLines: true,
  },
  { when: 'purpose', from: 'ledger.filed c', serves: { purpose: (value) => `c.purpose = ${value}`, ...effective } },
]

/** What no index serves is looked at in the entry itself. */
const looked: Fragments = {
  payment: (value) => `starts_with(e.source, ${value} || '/')`,
  account: (value) => `${value} = any (e.accounts)`,
  purpose: (value) => `e.purpose = ${value}`,
  currency: (value) => `${value} = any (e.currencies)`,
  bookedAfter: (value) => `e.booked_at >= ${value}::timestamptz`,
  bookedBefore: (value) => `e.booked_at < ${value}::timestamptz`,
}

/** Places of entries, the latest to take effect first, that fit: among the first after a place, where no index serves. */
export function searchPlaces(database: Database, query: EntryQuery, limit: number): Promise<EntryPlace[]> {
  const { base, rest, asked, parameters, values } = searchOf(query)
  const conditions = conditionsOf(query.filter, rest, parameters, values)
  const rows = `$${values.push(limit)}`
  const text =
    conditions === ''
      ? `select ${PLACE} from ${candidates(base, asked, parameters, rows)} c ${NEWEST_FIRST} limit ${rows}`
      : `select ${PLACE} from ${candidates(base, asked, parameters, `${LOOKED_AT_MAX}`)} c
         cross join lateral (${ITS_ENTRY}) e
         where ${conditions} ${NEWEST_FIRST} limit ${rows}`
  return database.query<EntryPlace>(statement(`ledger.search_${nameOf(query)}`, text), values)
}

/** Where the look at filters without an index ended; undefined where it saw the end of the list. */
export async function searchedUpTo(database: Database, query: EntryQuery): Promise<EntryPlace | undefined> {
  const { base, rest, asked, parameters, values } = searchOf(query)
  if (rest.length === 0) return undefined
  const text = `select ${PLACE} from ${candidates(base, asked, parameters, `${LOOKED_AT_MAX}`)} c
    ${NEWEST_FIRST} offset ${LOOKED_AT_MAX - 1}`
  return (await database.query<EntryPlace>(statement(`ledger.searched_up_to_${nameOf(query)}`, text), values))[0]
}

type Parameters = Partial<Record<Name | 'place', string>>

/** Where to look for what was asked, and what of it is left to be looked at in the entries themselves. */
function searchOf({ tenant, mode, filter, after }: EntryQuery) {
  const values: SqlValue[] = [tenant, mode]
  const asked = names.filter((name) => filter[name] !== undefined)
  const base = bases.find(({ when }) => when !== undefined && asked.includes(when)) ?? ofAll
  const parameters: Parameters = {}
  for (const name of asked) if (base.serves[name]) parameters[name] = `$${values.push(filter[name] ?? null)}`
  if (after) parameters.place = `($${values.push(after.effectiveAt)}::timestamptz, $${values.push(after.source)})`
  return { base, asked, rest: asked.filter((name) => base.serves[name] === undefined), parameters, values }
}

function conditionsOf(filter: EntryFilter, rest: readonly Name[], of: Parameters, values: SqlValue[]): string {
  for (const name of rest) of[name] = `$${values.push(filter[name] ?? null)}`
  const isOfAmount = rest.some((name) => name === 'amountMin' || name === 'amountMax')
  const conditions = rest.flatMap((name) => looked[name]?.(of[name] ?? '') ?? [])
  return [...conditions, ...(isOfAmount ? [amountCondition(of)] : [])].join(' and ')
}

/** Of at most 63 characters, which is what PostgreSQL takes: which filters there are, as the digits of a number. */
function nameOf({ filter, after }: EntryQuery): string {
  const digits = names.map((name) => (filter[name] === undefined ? '0' : '1'))
  return `${Number.parseInt(digits.join(''), 2).toString(36)}${after ? '_after' : ''}`
}

/**
 * Put together of the fragments above and no text of a caller's, a statement for each set of filters: with `$1 is null or …`
 * in one statement for all, the planner would be without an index.
 */
function candidates(base: Base, asked: readonly Name[], of: Parameters, limit: string): string {
  const served = asked.flatMap((name) => base.serves[name]?.(of[name] ?? '') ?? [])
  const place = of.place === undefined ? [] : [`(c.effective_at, c.source) < ${of.place}`]
  const where = ['c.tenant = $1', 'c.mode = $2', ...served, ...place].join(' and ')
  if (base.isOfLines) return lines(asked.includes('currency'), of, where, limit)
  return `(select c.effective_at, c.source from ${base.from} where ${where} ${NEWEST_FIRST} limit ${limit})`
}

/**
 * An entry may have several lines on an account, in one currency or in several. Those of one currency stand in the order of
 * the list; the currencies of an account are few, and known from its balances.
 */
function lines(isOfCurrency: boolean, of: Parameters, where: string, limit: string): string {
  const ofOne = (more: string) => `(select c.effective_at, c.source from ledger.line c where ${where} ${more}
    group by c.effective_at, c.source ${NEWEST_FIRST} limit ${limit})`
  if (isOfCurrency) return ofOne('')
  return `(select c.effective_at, c.source
    from (select distinct currency from ledger.balance where tenant = $1 and mode = $2 and account = ${of.account}) k
    cross join lateral ${ofOne('and c.currency = k.currency')} c
    group by c.effective_at, c.source ${NEWEST_FIRST} limit ${limit})`
}

/** One posting has to fit all of it: its account, its currency and its amount. */
function amountCondition(of: Parameters): string {
  const parts = [
    ...(of.account ? [`p.account = ${of.account}`] : []),
    ...(of.currency ? [`p.currency = ${of.currency}`] : []),
    ...(of.amountMin ? [`abs(p.amount) >= ${of.amountMin}`] : []),
    ...(of.amountMax ? [`abs(p.amount) <= ${of.amountMax}`] : []),
  ]
  return `exists (select from unnest(e.accounts, e.amounts, e.currencies) as p (account, amount, currency)
    where ${parts.join(' and ')})`
}

const FIND = statement(
  'ledger.find_entries',
  `select e.source, e.id, e.purpose, e.accounts, e.amounts::text[] as amounts, e.currencies, e.effective_at, e.booked_at,
     e.hold, t.source as reverses, r.reversed_by,
     case when m.source is not null then json_build_object('name', m.template, 'version', m.version) end as template
   from ledger.entry e
   left join ledger.reversal r on r.tenant = e.tenant and r.mode = e.mode and r.source = e.source
   left join ledger.reversal t on t.tenant = e.tenant and t.mode = e.mode and t.reversed_by = e.source
   left join ledger.entry_template m on m.tenant = e.tenant and m.mode = e.mode and m.source = e.source
   where e.tenant = $1 and e.mode = $2 and e.source = any ($3)`,
)
export type EntryFound = {
  source: string
  id: string
  purpose: string
  accounts: string[]
  amounts: string[]
  currencies: string[]
  effective_at: Date
  booked_at: Date
  hold: string | null
  /** Source of the entry that it undoes, and of the one that undid it. */
  reverses: string | null
  reversed_by: string | null
  /** What made it. */
  template: TemplateRef | null
}
export function findEntries(database: Database, { tenant, mode }: Whose, sources: readonly string[]) {
  return database.query<EntryFound>(FIND, [tenant, mode, sources])
}

const NAMED = statement(
  'ledger.source_of_entry',
  'select source from ledger.filed where tenant = $1 and mode = $2 and entry = $3',
)
/** Of the entry of an id of ours, once the projection has read it. */
export async function sourceOfEntry(database: Database, { tenant, mode }: Whose, entry: string) {
  return (await database.query<{ source: string }>(NAMED, [tenant, mode, entry]))[0]?.source
}
