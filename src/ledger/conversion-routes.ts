import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { toMinorNumber } from '#kernel/money'
import type { Seal } from '#kernel/seal'
import type { Whose } from './book-sql.ts'
import { type Conversion, conversionIn, convert } from './conversion.ts'
import { readQuote } from './conversion-quote.ts'
import {
  ConversionBody,
  type ConversionRequest,
  checkBookable,
  conversionCommand,
  conversionRequest,
} from './conversion-request.ts'
import { type ConversionRow, findConversion } from './conversion-sql.ts'
import type { Desk } from './desk.ts'
import { entryId, entrySource } from './entry-source.ts'
import { knownRate, type Rate, type RatesAt } from './rate.ts'
import { refusalOf } from './refusal.ts'
import { ID_PATTERN } from './shapes.ts'

export type ConversionRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly clock: Clock
  readonly seal: Pick<Seal, 'digest'>
  readonly desk: Desk
  readonly ratesAt: RatesAt
  /** Writes quotes. */
  readonly cursors: Cursors
  /** Where what has been converted is read. */
  readonly database: Database
}

const Side = Type.Object({ account: Type.String(), amount: Type.Integer(), currency: Type.String() })
const fraction = { numerator: Type.String(), denominator: Type.String() }
export const RateShape = Type.Object({
  ...fraction,
  source: Type.String({ description: 'Who said so; caller where the rate came with the request.' }),
  effective_at: Type.String({ description: 'The day it is of.' }),
})
const Converted = Type.Object({
  id: Type.String(),
  entry: Type.String(),
  source: Type.String({ description: 'By what it is found again, and reversed.' }),
  repeated: Type.Boolean({ description: 'It was done before, under the same id.' }),
  effective_at: Type.String(),
  debit: Side,
  credit: Side,
  given: Type.String({ description: 'debit or credit: the side whose amount was asked for.' }),
  rate: { ...RateShape, description: 'Whole units of the credited currency for one of the debited: exact.' },
  quoted_at: Type.Optional(Type.String({ description: 'When its rate was quoted, if it was.' })),
  remainder: Type.Object(fraction, {
    description: 'What the other side comes to exactly, less what was booked: a fraction of its minor unit.',
  }),
})
const params = Type.Object({ id: Type.String({ pattern: ID_PATTERN, description: 'Yours.' }) })
const dryRun = Type.Object(
  { dry_run: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])) },
  { additionalProperties: false },
)

/** Money in one currency becomes money in another: one entry, over the positions in both. */
export function conversionRoutes(server: HttpServer, ports: ConversionRoutePorts): void {
  const { callers, clock, seal, desk, database } = ports
  const onRequest = callers.check

  const post = {
    summary: 'Convert an amount',
    description:
      'One entry: the account debited in currency, the account credited in to_currency, and the positions in both. By the rate of the day, one of yours, or one that was quoted. Done once under its id; dry_run says what would be booked.',
    querystring: dryRun,
    body: ConversionBody,
    refusals: [
      'account_closed',
      'account_unknown',
      'amount_invalid',
      'ceiling_exceeded',
      'currency_mismatch',
      'currency_unknown',
      'id_reused',
      'insufficient_funds',
      'period_closed',
      'quote_expired',
      'quote_invalid',
      'rate_stale',
      'rate_unknown',
    ] as const,
    response: { 200: Converted, 201: Converted },
  }
  server.post('/v1/ledger/conversions', { onRequest, schema: post }, async (request, reply) => {
    const whose = callers.of(request)
    const isDryRun = request.query.dry_run === 'true'
    const asked = conversionRequest(request.body, { ...whose, digest: seal.digest, now: clock.now() })
    const conversion = await conversionOf(ports, whose, asked)
    const commands = [conversionCommand(asked, conversion)]
    const { traceparent } = request
    const [outcome] = await desk.submit({ ...whose, traceparent, commands, isLinked: false, isDryRun })
    if (outcome?.status !== 'done') throw refusalOf(outcome?.refusal ?? { code: 'id_reused', id: asked.id })
    const { id, isRepeated } = outcome
    // Under the same id it may have been done at the rate of another day: that one is told.
    const before = isRepeated ? await findConversion(database, whose, entrySource(id)) : undefined
    if (before) return reply.code(200).send(shownRow(id, before, true))
    const done = { id, entry: outcome.entry ?? entryId(whose, entrySource(id)), isRepeated }
    return reply.code(isDryRun ? 200 : 201).send(shown(done, conversion, asked.effectiveAt))
  })

  const get = {
    summary: 'A conversion as it was booked',
    params,
    refusals: ['entry_not_found', 'parameter_invalid'] as const,
    response: { 200: Converted },
  }
  server.get('/v1/ledger/conversions/:id', { onRequest, schema: get }, async (request) => {
    const { id } = request.params
    const found = await findConversion(database, callers.of(request), entrySource(id))
    if (!found) throw new Refusal('entry_not_found', { field: 'id' })
    return shownRow(id, found, true)
  })
}

/**
 * At the rate that was quoted, the caller's, or that of the day. Where there is none, or it comes to nothing, and it was done
 * under the id before, as it was done then: who repeats a request gets its answer, whatever rates are known by now.
 */
async function conversionOf(
  ports: ConversionRoutePorts,
  whose: Whose,
  request: ConversionRequest,
): Promise<Conversion> {
  try {
    const { rate, quotedAt } = await rateOf(ports, whose, request)
    const conversion = checkBookable(convert(request.asked, rate))
    return quotedAt === undefined ? conversion : { ...conversion, quotedAt }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const before = await findConversion(ports.database, whose, entrySource(request.id))
    if (before) return conversionIn(before.details)
    throw error
  }
}

type RateTaken = { readonly rate: Rate; readonly quotedAt?: number }
async function rateOf(
  { ratesAt, cursors, clock }: ConversionRoutePorts,
  whose: Whose,
  { id, asked, rate, quote, effectiveAt }: ConversionRequest,
): Promise<RateTaken> {
  if (quote !== undefined) {
    const quoted = readQuote(cursors, whose, { id, asked }, quote)
    if (quoted.expiresAt > clock.now()) return quoted
    const expired = new Date(quoted.expiresAt).toISOString()
    throw new Refusal('quote_expired', { field: 'quote', members: { expired_at: expired } })
  }
  if (rate) return { rate: { ...rate, source: 'caller', effectiveAt } }
  const ask = { from: asked.debit.currency, to: asked.credit.currency, at: effectiveAt }
  return { rate: knownRate((await ratesAt(whose, [ask]))[0], ask) }
}

function shownRow(id: string, { details, effective_at, id: entry }: ConversionRow, isRepeated: boolean) {
  return shown({ id, entry, isRepeated }, conversionIn(details), effective_at.getTime())
}

function shown(
  { id, entry, isRepeated }: { id: string; entry: string; isRepeated: boolean },
  { debit, credit, given, rate, quotedAt, remainder }: Conversion,
  effectiveAt: number,
) {
  return {
    id,
    entry,
    source: entrySource(id),
    repeated: isRepeated,
    effective_at: new Date(effectiveAt).toISOString(),
    debit: { ...debit, amount: toMinorNumber(debit.amount) },
    credit: { ...credit, amount: toMinorNumber(credit.amount) },
    given,
    rate: shownRate(rate),
    ...(quotedAt === undefined ? {} : { quoted_at: new Date(quotedAt).toISOString() }),
    remainder: { numerator: `${remainder.numerator}`, denominator: `${remainder.denominator}` },
  }
}

export function shownRate({ numerator, denominator, source, effectiveAt }: Rate) {
  const effective_at = new Date(effectiveAt).toISOString()
  return { numerator: `${numerator}`, denominator: `${denominator}`, source, effective_at }
}
