import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Clock } from '#kernel/clock'
import { Refusal, type RefusalCode } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Seal } from '#kernel/seal'
import { type Payout, type Payouts, payoutCommand, payoutFailure } from './merchant-payout.ts'
import type { Reading } from './request.ts'
import { ID_PATTERN, PayoutBody, PayoutFailureBody, PayoutShape } from './shapes.ts'

export type PayoutRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly clock: Clock
  readonly seal: Pick<Seal, 'digest'>
  readonly payouts: Payouts
}

const params = Type.Object({ id: Type.String({ pattern: ID_PATTERN }) })
const ofEntries: readonly RefusalCode[] = [
  'account_closed',
  'account_unknown',
  'ceiling_exceeded',
  'currency_mismatch',
  'id_reused',
  'insufficient_funds',
  'period_closed',
]

/** What merchants are owed, paid to them. */
export function payoutRoutes(server: HttpServer, { callers, clock, seal, payouts }: PayoutRoutePorts): void {
  const onRequest = callers.check
  const reading = (request: FastifyRequest): Reading => {
    const { tenant, mode } = callers.of(request)
    return { tenant, mode, digest: seal.digest, now: clock.now() }
  }

  const pay = {
    summary: 'Pay a merchant what they are owed',
    description:
      'amount: as much, or nothing; up_to: what there is of it; neither: all. Never more than is owed and not held, nor past a floor.',
    body: PayoutBody,
    refusals: [...ofEntries, 'account_not_guarded', 'currency_unknown'] as const,
    response: { 200: PayoutShape, 201: PayoutShape },
  }
  server.post('/v1/ledger/payouts', { onRequest, schema: pay }, async (request, reply) => {
    const command = payoutCommand(request.body, reading(request))
    const { payout, isRepeated } = await payouts.pay(callers.of(request), command, request)
    return reply.code(isRepeated ? 200 : 201).send(shown(payout))
  })

  const fail = {
    summary: 'Say that a payout did not arrive',
    description: 'The merchant is owed again what it moved. Said twice, it is done once.',
    params,
    body: PayoutFailureBody,
    refusals: ['account_closed', 'ceiling_exceeded', 'entry_reversed', 'payout_not_found', 'period_closed'] as const,
    response: { 200: PayoutShape },
  }
  // Nothing sent says as much as an empty object.
  const preValidation = async (request: FastifyRequest) => {
    request.body ??= {}
  }
  server.post('/v1/ledger/payouts/:id/fail', { onRequest, preValidation, schema: fail }, async (request) => {
    const command = payoutFailure(request.params.id, request.body, reading(request))
    return shown((await payouts.fail(callers.of(request), command, request)).payout)
  })

  const show = {
    summary: 'A payout to a merchant, and whether it failed',
    params,
    refusals: ['payout_not_found'] as const,
    response: { 200: PayoutShape },
  }
  server.get('/v1/ledger/payouts/:id', { onRequest, schema: show }, async (request) => {
    const payout = await payouts.find(callers.of(request), request.params.id)
    if (!payout) throw new Refusal('payout_not_found', { field: 'id' })
    return shown(payout)
  })
}

function shown({ amount, effectiveAt, bookedAt, reversal, ...payout }: Payout) {
  return {
    ...payout,
    reversal: reversal ?? null,
    amount: `${amount}`,
    effective_at: effectiveAt.toISOString(),
    booked_at: bookedAt.toISOString(),
  }
}
