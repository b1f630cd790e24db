import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { HttpServer } from '#kernel/http'
import { RateShape, shownRate } from './conversion-routes.ts'
import { currencyOf } from './request.ts'
import type { Revaluation, Revalue } from './revaluation-booking.ts'
import { Currency } from './shapes.ts'

export type RevaluationRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly revalue: Revalue
}

export const BASE_DEFAULT = 'EUR'

const Minor = (description: string) => Type.String({ pattern: '^-?\\d+$', description })
const Source = (description: string) => Type.Union([Type.String({ description }), Type.Null()])
const RevaluationBody = Type.Object(
  {
    day: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'A day that is over (UTC), as in 2026-11-20.' }),
    base: Type.Optional({ ...Currency, description: 'The currency gains are told in; EUR by default.' }),
  },
  { additionalProperties: false },
)
const Revalued = Type.Object({
  day: Type.String(),
  base: Type.String(),
  positions: Type.Array(
    Type.Object({
      currency: Type.String(),
      quantity: Minor('What we are long, in minor units of the currency; below zero where we owe it.'),
      cost: Minor('What it had cost, at the average; in minor units of the base currency, as the rest.'),
      value: Minor('What it was worth at the end of the day.'),
      realised: Minor('Gain on what was given away, as far as the books had not told it.'),
      unrealised: Minor('Gain on what is left.'),
      rate: Type.Union([RateShape, Type.Null()]),
      realised_source: Source('Of the entry; null where there was nothing to book.'),
      unrealised_source: Source('Of the entry, which is undone as the next day begins; null as before.'),
      repeated: Type.Boolean({ description: 'It was booked before.' }),
    }),
  ),
})

/** What positions in currencies have gained, booked once for a day and base. */
export function revaluationRoutes(server: HttpServer, { callers, revalue }: RevaluationRoutePorts): void {
  const schema = {
    summary: 'Revalue the positions in currencies',
    description:
      'Books the gains as of the end of a day, at its rates and average cost: the realised for good, the unrealised until the next day begins. Once for a day, base and currency; each base has gains of its own.',
    body: RevaluationBody,
    refusals: ['currency_unknown', 'period_closed', 'rate_stale', 'rate_unknown', 'revaluation_passed'] as const,
    response: { 200: Revalued },
  }
  server.post('/v1/ledger/revaluations', { onRequest: callers.check, schema }, async (request) => {
    const { tenant, mode } = callers.of(request)
    const { day, base = BASE_DEFAULT } = request.body
    const { traceparent } = request
    const positions = await revalue({ tenant, mode, base: currencyOf(base, 'base'), day, traceparent })
    return { day, base, positions: positions.map(shownRevaluation) }
  })
}

function shownRevaluation({ rate, realisedSource, unrealisedSource, isRepeated, currency, ...amounts }: Revaluation) {
  return {
    currency,
    quantity: `${amounts.quantity}`,
    cost: `${amounts.cost}`,
    value: `${amounts.value}`,
    realised: `${amounts.realised}`,
    unrealised: `${amounts.unrealised}`,
    rate: rate ? shownRate(rate) : null,
    realised_source: realisedSource ?? null,
    unrealised_source: unrealisedSource ?? null,
    repeated: isRepeated,
  }
}
