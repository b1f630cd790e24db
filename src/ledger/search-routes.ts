import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { Whose } from './book-sql.ts'
import { idOfSource } from './entry-source.ts'
import { instantIn } from './instant.ts'
import { findEntry, searchEntries } from './search.ts'
import type { EntryFilter, EntryFound, EntryPlace } from './search-sql.ts'
import { ACCOUNT_PATTERN } from './shapes.ts'

export type SearchRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  readonly database: Database
}

const Instant = (description: string) =>
  Type.Optional(
    Type.String({ format: 'date-time', maxLength: 40, description: `${description}, as in 2026-11-21T09:30:00Z` }),
  )
const Amount = (description: string) => Type.Optional(Type.String({ pattern: '^\\d{1,18}$', description }))
const querystring = Type.Object(
  {
    account: Type.Optional(
      Type.String({ pattern: ACCOUNT_PATTERN, description: 'With a posting on it: as wallet:ada' }),
    ),
    source: Type.Optional(Type.String({ minLength: 1, maxLength: 300, description: 'What it books, exactly' })),
    payment: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Of this payment or payout' })),
    purpose: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9_]{0,39}$', description: 'As in topup' })),
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code, as in EUR' })),
    amount_min: Amount('With a posting of at least so many minor units, on either side; needs currency'),
    amount_max: Amount('With a posting of at most so many minor units, on either side; needs currency'),
    effective_after: Instant('The first instant of effect that counts'),
    effective_before: Instant('The first instant of effect that does not count any more'),
    booked_after: Instant('The first instant of booking that counts'),
    booked_before: Instant('The first instant of booking that does not count any more'),
    ...pageQuery,
  },
  { additionalProperties: false },
)
const params = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 300, description: 'Yours, its source, or its own: ent_…' }),
})
const Nullable = (description: string) => Type.Union([Type.String(), Type.Null()], { description })
const EntryShown = Type.Object({
  id: Nullable('Yours, where you asked for it.'),
  entry: Type.String(),
  source: Type.String({ description: 'What it books; it is reversed by it.' }),
  purpose: Type.String(),
  effective_at: Type.String({ description: 'When it happened.' }),
  booked_at: Type.String({ description: 'When it was written.' }),
  postings: Type.Array(
    Type.Object({
      account: Type.String(),
      amount: Type.String({ description: 'Minor units, as text: debits above zero, credits below.' }),
      currency: Type.String(),
    }),
  ),
  hold: Nullable('The hold that it posts.'),
  reverses: Nullable('Source of the entry that it undoes.'),
  reversed_by: Nullable('Source of the entry that undid it.'),
  template: Type.Optional(
    Type.Object(
      { name: Type.String(), version: Type.Integer() },
      { description: 'What made it; absent where nothing did.' },
    ),
  ),
})

const Place = Compile(Type.Tuple([Type.String(), Type.String()]))

/** Entries that were booked, by you or by payments. */
export function searchRoutes(server: HttpServer, { callers, cursors, database }: SearchRoutePorts): void {
  const onRequest = callers.check

  const search = {
    summary: 'Search entries',
    description:
      'The latest to take effect first. Entries that are there when the first page is asked for come exactly once, ' +
      'however many are booked meanwhile; what was booked a moment ago may be missing. A page may be short, and not the ' +
      'last: go by has_more.',
    querystring,
    refusals: ['cursor_invalid', 'parameter_invalid'] as const,
    response: { 200: pageOf(EntryShown, 'A page of entries.') },
  }
  server.get('/v1/ledger/entries', { onRequest, schema: search }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { limit, cursor, ...asked } = request.query
    const filter = filterOf(asked)
    const scope = `entries/${tenant}/${mode}/${JSON.stringify(asked, Object.keys(asked).sort())}`
    const after = cursor === undefined ? undefined : placeOf(cursors.read(scope, cursor, 'cursor'))
    const { entries, next } = await searchEntries(database, { tenant, mode, filter, after, limit: pageLimit(limit) })
    const place = next && Buffer.from(JSON.stringify([next.effectiveAt, next.source]))
    return {
      data: entries.map(shown),
      has_more: next !== undefined,
      next_cursor: place ? cursors.write(scope, place) : null,
    }
  })

  const one = {
    summary: 'An entry as it was booked',
    params,
    refusals: ['entry_not_found', 'parameter_invalid'] as const,
    response: { 200: EntryShown },
  }
  server.get('/v1/ledger/entries/:id', { onRequest, schema: one }, async (request) => {
    const found = await findEntry(database, callers.of(request), request.params.id)
    if (!found) throw new Refusal('entry_not_found', { field: 'id' })
    return shown(found)
  })
}

type Asked = Omit<Static<typeof querystring>, 'limit' | 'cursor'>

function filterOf(asked: Asked): EntryFilter {
  const { account, source, payment, purpose, currency, amount_min, amount_max } = asked
  const amount = amount_min === undefined ? 'amount_max' : 'amount_min'
  if (asked[amount] !== undefined && currency === undefined) {
    throw new Refusal('parameter_invalid', {
      field: amount,
      detail: `${amount} needs currency: minor units are of one`,
    })
  }
  return {
    account,
    source,
    payment,
    purpose,
    currency,
    amountMin: amount_min === undefined ? undefined : BigInt(amount_min),
    amountMax: amount_max === undefined ? undefined : BigInt(amount_max),
    effectiveAfter: instantOf(asked, 'effective_after'),
    effectiveBefore: instantOf(asked, 'effective_before'),
    bookedAfter: instantOf(asked, 'booked_after'),
    bookedBefore: instantOf(asked, 'booked_before'),
  }
}

/** The shape alone lets a second of 60 through, and the year 0. */
function instantOf(asked: Asked, field: `${'effective' | 'booked'}_${'after' | 'before'}`): string | undefined {
  const text = asked[field]
  if (text === undefined) return undefined
  const at = instantIn(text)
  if (at === undefined) {
    throw new Refusal('parameter_invalid', { field, detail: `${field} must be a time, as in 2026-11-21T09:30:00Z` })
  }
  return new Date(at).toISOString()
}

function placeOf(bytes: Buffer): EntryPlace {
  const place: unknown = JSON.parse(bytes.toString())
  if (!Place.Check(place)) throw new Refusal('cursor_invalid', { field: 'cursor' })
  const [effectiveAt, source] = place
  return { effectiveAt, source }
}

function shown(found: EntryFound): Static<typeof EntryShown> {
  const { source, id, purpose, accounts, amounts, currencies, effective_at, booked_at, ...links } = found
  return {
    id: idOfSource(source) ?? null,
    entry: id,
    source,
    purpose,
    effective_at: effective_at.toISOString(),
    booked_at: booked_at.toISOString(),
    postings: accounts.map((account, place) => ({
      account,
      amount: amounts[place] ?? '0',
      currency: currencies[place] ?? '',
    })),
    hold: links.hold,
    reverses: links.reverses,
    reversed_by: links.reversed_by,
    ...(links.template ? { template: links.template } : {}),
  }
}
