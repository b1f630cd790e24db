import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { instantIn } from './instant.ts'
import type { Periods } from './period.ts'

export type PeriodRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly periods: Periods
}

const Instant = Type.String({ format: 'date-time', maxLength: 40, description: 'As in 2026-10-31T23:59:59.999Z' })
const Closing = Type.Object({ through: Instant }, { additionalProperties: false })
const Reopening = Type.Object(
  {
    through: Type.Optional({ ...Instant, description: 'What stays closed; nothing by default.' }),
    reason: Type.String({ minLength: 3, maxLength: 200, description: 'Why, in plain words: it stays on the log.' }),
  },
  { additionalProperties: false },
)
const Period = Type.Object({
  closed_through: Type.Union([Type.String(), Type.Null()], { description: 'Nothing is booked up to and with it.' }),
})

/** Closing the books, and opening them again with a reason. */
export function periodRoutes(server: HttpServer, { callers, periods }: PeriodRoutePorts): void {
  const onRequest = callers.check
  const shown = async (request: FastifyRequest) => {
    const through = await periods.closedThrough(callers.of(request))
    return { closed_through: through === undefined ? null : new Date(through).toISOString() }
  }

  const get = { summary: 'Up to when the books are closed', response: { 200: Period } }
  server.get('/v1/ledger/period', { onRequest, schema: get }, (request) => shown(request))

  const close = {
    summary: 'Close the books up to an instant',
    description:
      'Nothing is booked with an effective time up to it any more; what payments move is, because it has happened.',
    body: Closing,
    refusals: ['period_invalid'] as const,
    response: { 200: Period },
  }
  server.post('/v1/ledger/period/close', { onRequest, schema: close }, async (request) => {
    await periods.close(callers.of(request), instantOf(request.body.through), request)
    return shown(request)
  })

  const reopen = {
    summary: 'Open the books again, with a reason',
    body: Reopening,
    refusals: ['period_invalid', 'reason_invalid'] as const,
    response: { 200: Period },
  }
  server.post('/v1/ledger/period/reopen', { onRequest, schema: reopen }, async (request) => {
    const { through, reason } = request.body
    await periods.reopen(callers.of(request), through === undefined ? undefined : instantOf(through), reason, request)
    return shown(request)
  })
}

function instantOf(text: string): number {
  const at = instantIn(text)
  if (at !== undefined) return at
  throw new Refusal('body_invalid', {
    field: 'through',
    detail: 'through must be a time, as in 2026-10-31T23:59:59.999Z',
  })
}
