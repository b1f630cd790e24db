import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageQuery } from '#kernel/http-page'
import { accountKind } from './accounts.ts'
import { baseOf, ConvertedLine, convertedLine, inBase, inQuery } from './conversion-of-balances.ts'
import { ConvertedStatement, ConvertedStatementLine, statementIn } from './conversion-of-statements.ts'
import type { RatesAt } from './rate.ts'
import { type BalanceAtRow, balancesAt, type LineCursor, statementLines } from './statement-sql.ts'

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
    refusals: ['account_not_found', 'parameter_invalid', 'rate_unknown'] as const,
    response: { 200: Balances },
  }
  server.get('/v1/accounts/:id/balance', { onRequest, schema: balance }, async (request) => {
    const whose = callers.of(request)
    const account = request.params.id
    const asOf = asOfOf(request.query)
    const rows = await balancesAt(database, { ...whose, account }, asOf)
    const base = baseOf(request.query.in)
    if (base === undefined) return { id: account, balances: rows.map(balanceLine) }
    const lines = rows.map((row) => ({ ...row, balance: normalBalance(row) }))
    const converted = await inBase(ratesAt, whose, { base, at: asOf.effectiveAt ?? clock.now() }, lines)
    const balances = rows.map((row, place) => {
      const line = converted[place]
      return { ...balanceLine(row), ...(line ? { converted: convertedLine(line) } : {}) }
    })
    return { id: account, balances }
  })

  const statement = {
    summary: 'The statement of an account in a currency',
    description:
      'Line by line in the order in which it happened, each with the balance after it. in shows each in another currency too, at the rate of its day.',
    params,
    querystring: statementQuery,
    refusals: ['cursor_invalid', 'parameter_invalid', 'rate_unknown'] as const,
    response: { 200: Statement },
  }
  server.get('/v1/accounts/:id/statement', { onRequest, schema: statement }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { currency, cursor, from, through, booked_at } = request.query
    const of = { tenant, mode, account: request.params.id, currency }
    const range = {
      from: instantOf(from, 'from') ?? 0,
      through: instantOf(through, 'through') ?? clock.now(),
      bookedAt: instantOf(booked_at, 'booked_at'),
    }
    const limit = pageLimit(request.query.limit)
    const scope = `statement/${Object.values(of).join('/')}/${from ?? ''}/${booked_at ?? ''}`
    const before: PageStart =
      cursor === undefined ? await startOf(of, range) : startIn(cursors.read(scope, cursor, 'cursor'))
    const found = await statementLines(database, of, { ...range, through: before.through }, before.after, limit + 1)
    let running = BigInt(before.balance)
    const data = found.slice(0, limit).map(({ effective_at, booked_at: booked, source, amount }) => {
      running += before.isDebit ? amount : -amount
      return {
        effective_at: effective_at.toISOString(),
        booked_at: booked.toISOString(),
        source,
        debit: amount > 0n ? `${amount}` : '0',
        credit: amount < 0n ? `${-amount}` : '0',
        balance: `${running}`,
      }
    })
    const last = found.length > limit ? found[limit - 1] : undefined
    const next: PageStart | undefined = last && {
      ...before,
      balance: `${running}`,
      after: { effectiveAt: last.effective_at.getTime(), source: last.source, place: last.place },
    }
    const next_cursor = next ? cursors.write(scope, Buffer.from(JSON.stringify(next))) : null
    const page = { opening: before.balance, data, closing: `${running}`, has_more: next !== undefined, next_cursor }
    const base = baseOf(request.query.in)
    if (base === undefined) return page
    const openedAt = before.after?.effectiveAt ?? range.from - 1
    const closedAt = next?.after?.effectiveAt ?? before.through
    return { ...page, ...(await statementIn(ratesAt, of, { base, isDebit: before.isDebit, openedAt, closedAt }, page)) }
  })

  type Range = { readonly from: number; readonly through: number; readonly bookedAt: number | undefined }
  type Of = { tenant: string; mode: string; account: string; currency: string }
  async function startOf(of: Of, { from, through, bookedAt }: Range): Promise<PageStart> {
    const rows = await balancesAt(database, of, { effectiveAt: from - 1, bookedAt })
    const row = rows.find(({ currency }) => currency === of.currency)
    const [any] = row ? [row] : await balancesAt(database, of, { effectiveAt: undefined, bookedAt })
    return {
      balance: row ? `${normalBalance(row)}` : '0',
      isDebit: sideOf(any ?? { account: of.account, normal_side: null }) === 'debit',
      through,
      after: undefined,
    }
  }
}

/** Where a page begins: what the one before it ended with. */
type PageStart = {
  readonly balance: string
  readonly isDebit: boolean
  readonly through: number
  readonly after: LineCursor | undefined
}

/** Ours: a cursor is sealed. */
function startIn(bytes: Buffer): PageStart {
  return JSON.parse(bytes.toString('utf8'))
}

export function asOfOf({ effective_at, booked_at }: { effective_at?: string; booked_at?: string }) {
  return { effectiveAt: instantOf(effective_at, 'effective_at'), bookedAt: instantOf(booked_at, 'booked_at') }
}

function instantOf(text: string | undefined, field: string): number | undefined {
  if (text === undefined) return undefined
  const at = Date.parse(text)
  if (!Number.isNaN(at)) return at
  throw new Refusal('parameter_invalid', { field, detail: `${field} must be a time, as in 2026-11-21T09:30:00Z` })
}

function balanceLine(row: BalanceAtRow) {
  const { currency, debit, credit, entries } = row
  const amounts = { debit: `${debit}`, credit: `${credit}`, balance: `${normalBalance(row)}` }
  return { currency, ...amounts, entries: `${entries}` }
}

function normalBalance(row: BalanceAtRow): bigint {
  return sideOf(row) === 'debit' ? row.debit - row.credit : row.credit - row.debit
}

function sideOf({ account, normal_side }: Pick<BalanceAtRow, 'account' | 'normal_side'>): 'debit' | 'credit' {
  return normal_side ?? accountKind(account)?.normalSide ?? 'debit'
}
