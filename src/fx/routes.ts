import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import { parseCurrency } from '#kernel/currency'
import { dayOf, isDay } from '#kernel/day'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { type DatedRate, mistakeIn } from './dated-rate.ts'
import type { ListedRate } from './rates.ts'
import type { RecordRates } from './record.ts'

export type FxRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: 'test' | 'live' }
  }
  readonly clock: Clock
  readonly record: RecordRates
  ratesOn(whose: { readonly tenant: string; readonly mode: string }, day: string): Promise<readonly ListedRate[]>
}

const closed = { additionalProperties: false } as const
const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' })
const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'A day (UTC), as in 2026-11-20.' })
const Decimal = Type.String({
  pattern: '^\\d{1,15}(?:\\.\\d{1,15})?$',
  description: 'Units of the currency for one unit of the base, as a decimal in a text: 1.0812.',
})
/** Ours are not a tenant's to name. */
const RESERVED = ['caller', 'same']

const RatesBody = Type.Object(
  {
    source: Type.String({ pattern: '^[a-z][a-z0-9_-]{0,39}$', description: 'Who says so, as in treasury.' }),
    rates: Type.Array(Type.Object({ base: Currency, currency: Currency, day: Day, rate: Decimal }, closed), {
      minItems: 1,
      maxItems: 1_000,
    }),
    replace: Type.Optional(Type.Boolean({ description: 'Replace rates that are known and differ.' })),
  },
  closed,
)
const Counts = Type.Object({ added: Type.Integer(), replaced: Type.Integer(), unchanged: Type.Integer() })
const Listed = Type.Object({
  day: Type.String(),
  rates: Type.Array(
    Type.Object({
      source: Type.String(),
      base: Type.String(),
      currency: Type.String(),
      day: Type.String(),
      rate: Type.String(),
      own: Type.Boolean({ description: 'Yours, and not those of the whole installation.' }),
    }),
  ),
})
const listQuery = Type.Object(
  { at: Type.Optional({ ...Day, description: 'A day, as in 2026-11-20; today by default.' }) },
  closed,
)

/** Rates of a tenant's own, and what rates hold on a day. */
export function fxRoutes(server: HttpServer, { callers, clock, record, ratesOn }: FxRoutePorts): void {
  const onRequest = callers.check

  const post = {
    summary: 'Record exchange rates of your own',
    description:
      'They come before those of the installation, such as the European Central Bank’s. Safe to repeat; all are recorded or none.',
    body: RatesBody,
    refusals: ['currency_unknown', 'rate_exists'] as const,
    response: { 200: Counts },
  }
  server.post('/v1/fx/rates', { onRequest, schema: post }, async (request) => {
    const { source, rates, replace = false } = request.body
    if (RESERVED.includes(source)) {
      const detail = `source must be none of: ${RESERVED.join(', ')}`
      throw new Refusal('body_invalid', { field: 'source', detail })
    }
    const { traceparent } = request
    const dated = rates.map(datedRateOf)
    const recorded = await record({
      owner: callers.of(request),
      source,
      rates: dated,
      isReplacing: replace,
      traceparent,
    })
    const { added, replaced, unchanged, changed } = recorded
    const [first] = changed
    if (!first) return { added, replaced, unchanged }
    const { base, currency, day, before, after } = first
    throw new Refusal('rate_exists', {
      field: 'rates',
      detail: `${changed.length} of the rates are known and differ; replace says that they are to be replaced`,
      members: { base, currency, day, known: before, given: after },
    })
  })

  const list = {
    summary: 'The exchange rates of a day',
    description: 'Of each source and pair the last on or before the day, and not older than seven days.',
    querystring: listQuery,
    refusals: ['parameter_invalid'] as const,
    response: { 200: Listed },
  }
  server.get('/v1/fx/rates', { onRequest, schema: list }, async (request) => {
    const day = request.query.at ?? dayOf(clock.now())
    if (!isDay(day)) {
      throw new Refusal('parameter_invalid', { field: 'at', detail: 'at must be a day, as in 2026-11-20' })
    }
    const rates = await ratesOn(callers.of(request), day)
    return { day, rates: rates.map(({ isOwn, ...rate }) => ({ ...rate, own: isOwn })) }
  })
}

function datedRateOf(given: { base: string; currency: string; day: string; rate: string }, place: number): DatedRate {
  const [base, currency] = [parseCurrency(given.base), parseCurrency(given.currency)]
  const at = `rates.${place}`
  if (base === undefined) throw new Refusal('currency_unknown', { field: `${at}.base` })
  if (currency === undefined) throw new Refusal('currency_unknown', { field: `${at}.currency` })
  const mistake = mistakeIn(given)
  if (mistake) throw new Refusal('body_invalid', { field: `${at}.${mistake.field}`, detail: mistake.detail })
  return { ...given, base, currency }
}
