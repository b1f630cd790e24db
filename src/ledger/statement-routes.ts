import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageQuery } from '#kernel/http-page'
import { baseOf, ConvertedLine, convertedLine, inBase, inQuery } from './conversion-of-balances.ts'
import { ConvertedStatement, ConvertedStatementLine, RateChoice, statementIn } from './conversion-of-statements.ts'
import { instantIn } from './instant.ts'
import { isProvisional, Sealing, shownSealing } from './provisional.ts'
import type { RatesAt } from './rate.ts'
import { beginStatement, normalBalance, pageTimes, type StatementPlace, statementPage } from './statement.ts'
import { statementCsv } from './statement-csv.ts'
import { type BalanceAtRow, balancesAt, sealedThrough } from './statement-sql.ts'

export type StatementRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly cursors: Cursors
  readonly clock: Clock
  readonly database: Database
  readonly ratesAt: RatesAt
}

const Instant = (description: string) => Type.Optional(Type.String({ format: 'date-time', maxLength: 40, description }))
const asOf = {
  effective_at: Instant('Of what had happened by then; now by default.'),
  booked_at: Instant('Of what was booked by then; everything by default.'),
}
const Minor = Type.String({ pattern: '^-?\\d+$', description: 'Minor units, as text: a sum may pass 2^53.' })
const params = Type.Object({ id: Type.String({ description: 'As in merchant:mer_books:payable' }) })

export const asOfQuery = Type.Object({ ...asOf, ...inQuery }, { additionalProperties: false })
const Balances = Type.Object({
  id: Type.String(),
  ...Sealing,
  balances: Type.Array(
    Type.Object({
      currency: Type.String(),
      debit: Minor,
      credit: Minor,
      balance: Minor,
      entries: Type.String(),
      converted: Type.Optional(ConvertedLine),
    }),
  ),
})

const statementQuery = Type.Object(
  {
    currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code, as in EUR' }),
    from: Instant('The beginning by default.'),
    through: Instant('Up to and with it; now by default.'),
    booked_at: asOf.booked_at,
    ...inQuery,
    rates: Type.Optional({ ...RateChoice, description: 'own (as is without it) or closing; with in.' }),
    ...pageQuery,
  },
  { additionalProperties: false },
)
const Statement = Type.Object({
  opening: { ...Minor, description: 'The balance before the first line of this page.' },
  data: Type.Array(
    Type.Object({
      effective_at: Type.String(),
      booked_at: Type.String(),
      source: Type.String({ description: 'Of the entry.' }),
      debit: Minor,
      credit: Minor,
      balance: { ...Minor, description: 'After the line, on the normal side of the account.' },
      converted: Type.Optional(ConvertedStatementLine),
    }),
  ),
  closing: { ...Minor, description: 'The balance after the last line of this page.' },
  has_more: Type.Boolean(),
  next_cursor: Type.Union([Type.String(), Type.Null()]),
  ...Sealing,
  converted: Type.Optional(ConvertedStatement),
})

/** What accounts had at any instant, and how it came to be. */
export function statementRoutes(server: HttpServer, ports: StatementRoutePorts): void {
  const { callers, cursors, clock, database, ratesAt } = ports
  const onRequest = callers.check

  const balance = {
    summary: 'What an account had at an instant',
    description: 'By when it happened, by when it was booked, or by both.',
    params,
    querystring: asOfQuery,
    refusals: ['parameter_invalid', 'rate_stale', 'rate_unknown'] as const,
    response: { 200: Balances },
  }
  server.get('/v1/accounts/:id/balance', { onRequest, schema: balance }, async (request) => {
    const whose = callers.of(request)
    const account = request.params.id
    const asOf = asOfOf(request.query)
    const sealed = await sealedThrough(database)
    const rows = await balancesAt(database, { ...whose, account }, asOf)
    const times = rows.map((row) => ({ lastBookedAt: row.last_booked_at.getTime() }))
    const provisional = isProvisional(sealed, { bookedAt: asOf.bookedAt, lastBookedAt: lastBooked(times) })
    const about = { id: account, ...shownSealing(sealed, provisional) }
    const base = baseOf(request.query.in)
    if (base === undefined) return { ...about, balances: rows.map(balanceLine) }
    const lines = rows.map((row) => ({ ...row, balance: normalBalance(row) }))
    const converted = await inBase(ratesAt, whose, { base, at: asOf.effectiveAt ?? clock.now() }, lines)
    const balances = rows.map((row, place) => {
      const line = converted[place]
      return { ...balanceLine(row), ...(line ? { converted: convertedLine(line) } : {}) }
    })
    return { ...about, balances }
  })

  const statement = {
    summary: 'The statement of an account in a currency',
    description:
      'Line by line in the order in which it happened, each with the balance after it. in shows each in another currency too, at the rate of its day or, with rates=closing, of the end. With Accept: text/csv the whole of it comes as CSV.',
    params,
    querystring: statementQuery,
    headersRead: { Accept: { description: 'text/csv for all of it as CSV; pages otherwise.' } },
    refusals: ['cursor_invalid', 'parameter_invalid', 'rate_stale', 'rate_unknown'] as const,
    response: { 200: Statement },
  }
  server.get('/v1/accounts/:id/statement', { onRequest, schema: statement }, async (request, reply) => {
    const { tenant, mode } = callers.of(request)
    const { currency, cursor, from, through, booked_at, rates = 'own' } = request.query
    const of = { tenant, mode, account: request.params.id, currency }
    const range = {
      from: instantOf(from, 'from') ?? 0,
      through: instantOf(through, 'through') ?? clock.now(),
      bookedAt: instantOf(booked_at, 'booked_at'),
    }
    const base = baseOf(request.query.in)
    if (wantsCsv(request.headers.accept)) {
      const converted = base === undefined ? {} : { converted: { ratesAt, base, rates } }
      return sendCsv(reply, statementCsv({ database, of, range, ...converted }))
    }
    const limit = pageLimit(request.query.limit)
    const scope = `statement/${Object.values(of).join('/')}/${from ?? ''}/${booked_at ?? ''}`
    const place: StatementPlace =
      cursor === undefined ? await beginStatement(database, of, range) : placeIn(cursors.read(scope, cursor, 'cursor'))
    const { opening, lines, closing, next, isProvisional } = await statementPage(database, of, range, place, limit)
    const next_cursor = next ? cursors.write(scope, Buffer.from(JSON.stringify(next))) : null
    const page = { opening, data: lines, closing }
    const about = { has_more: next !== undefined, next_cursor, ...shownSealing(place.sealedThrough, isProvisional) }
    if (base === undefined) return { ...page, ...about }
    const conversion = { base, rates, isDebit: place.isDebit, ...pageTimes(range, place, next) }
    return { ...page, ...about, ...(await statementIn(ratesAt, of, conversion, page)) }
  })
}

/** Ours: a cursor is sealed. */
function placeIn(bytes: Buffer): StatementPlace {
  return JSON.parse(bytes.toString('utf8'))
}

function wantsCsv(accept: string | undefined): boolean {
  return /(?:^|,)\s*text\/csv\s*(?:;|,|$)/i.test(accept ?? '')
}

/** Once it has begun, an answer can only end: what is wrong with the first page is said before. */
async function sendCsv(reply: FastifyReply, pages: AsyncGenerator<string>): Promise<FastifyReply> {
  const first = await pages.next()
  const all = async function* () {
    if (!first.done) yield first.value
    yield* pages
  }
  return reply.type('text/csv; charset=utf-8').send(Readable.from(all()))
}

export function asOfOf({ effective_at, booked_at }: { effective_at?: string; booked_at?: string }) {
  return { effectiveAt: instantOf(effective_at, 'effective_at'), bookedAt: instantOf(booked_at, 'booked_at') }
}

function instantOf(text: string | undefined, field: string): number | undefined {
  if (text === undefined) return undefined
  const at = instantIn(text)
  if (at !== undefined) return at
  throw new Refusal('parameter_invalid', { field, detail: `${field} must be a time, as in 2026-11-21T09:30:00Z` })
}

function balanceLine(row: BalanceAtRow) {
  const { currency, debit, credit, entries } = row
  const amounts = { debit: `${debit}`, credit: `${credit}`, balance: `${normalBalance(row)}` }
  return { currency, ...amounts, entries: `${entries}` }
}

/** When the last of several balances was booked, or later; undefined where there is none. */
export function lastBooked(balances: readonly { readonly lastBookedAt: number }[]): number | undefined {
  return balances.reduce<number | undefined>((last, one) => Math.max(last ?? 0, one.lastBookedAt), undefined)
}
