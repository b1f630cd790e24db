import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Mode, TenantId } from '#kernel/ids'
import type { OperationOffer, OperationOutcome } from './accept-operation.ts'
import { headersRead, keyRefusals } from './documented.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { CancelBody, CaptureBody, type OperationBody, RefundBody } from './operation-request.ts'
import { decidedWithin, type WhenDecided } from './wait.ts'

export type OperationPorts = {
  /** Who a request is made by, before its body is read; throws the refusal that answers it otherwise. */
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: TenantId; readonly mode: Mode }
  }
  acceptOperation(offer: OperationOffer): Promise<OperationOutcome>
  /** An operation as it is shown, and the schema of that. */
  readonly show: {
    operation(
      ref: { tenant: string; mode: string; id: string },
      operation: string,
    ): Promise<{ readonly status: string } | undefined>
    readonly schemas: { readonly operation: TSchema }
  }
  readonly whenDecided?: WhenDecided
}

const params = Type.Object({ id: Type.String() })
const Accepted = Type.Object(
  {
    id: Type.String({ description: 'Of the operation: `op_…`.' }),
    payment: Type.String(),
    call: Type.String(),
    status: Type.String({ description: 'pending: it is decided behind the log. `GET /v1/payments/{id}` shows it.' }),
  },
  { description: 'Accepted: it is on the log.' },
)

/** Captures, cancellations and refunds of a payment: each an operation, accepted here and decided behind the log. */
export function operationRoutes(server: HttpServer, ports: OperationPorts): void {
  const { operation: Operation } = ports.show.schemas
  const documented = {
    headersRead,
    refusals: [...keyRefusals, 'payment_not_found', 'payment_state_invalid', 'amount_too_large', 'split_exceeded'],
    response: { 200: Operation, 201: Operation, 202: Accepted },
  } as const
  const hooks = {
    onRequest: ports.callers.check,
    // Nothing sent says as much as an empty object.
    preValidation: async (request: FastifyRequest) => {
      request.body ??= {}
    },
  }
  server.post(
    '/v1/payments/:id/capture',
    { schema: { summary: 'Capture a payment', params, body: CaptureBody, ...documented }, ...hooks },
    (request, reply) => take('capture', request.params.id, request.body, request, reply),
  )
  server.post(
    '/v1/payments/:id/cancel',
    { schema: { summary: 'Cancel a payment', params, body: CancelBody, ...documented }, ...hooks },
    (request, reply) => take('cancel', request.params.id, request.body, request, reply),
  )
  server.post(
    '/v1/payments/:id/refunds',
    { schema: { summary: 'Refund a payment', params, body: RefundBody, ...documented }, ...hooks },
    (request, reply) => take('refund', request.params.id, request.body, request, reply),
  )

  async function take(
    call: OperationOffer['call'],
    payment: string,
    body: OperationBody,
    request: Pick<FastifyRequest, 'headers' | 'traceparent'> & FastifyRequest,
    reply: Pick<FastifyReply, 'code' | 'header'>,
  ) {
    const { tenant, mode } = ports.callers.of(request)
    const idempotencyKey = idempotencyKeyOf(request)
    const { traceparent } = request
    const outcome = await ports.acceptOperation({ tenant, mode, payment, call, idempotencyKey, body, traceparent })
    if (outcome.status === 'key_reused') throw new Refusal('idempotency_key_reused', { field: 'Idempotency-Key' })

    const { id } = outcome
    const ref = { tenant, mode, id: payment }
    const decided = await decidedWithin(request, reply, {
      wait: (seconds) => ports.whenDecided?.(ref, { operation: id }, seconds),
      look: () => ports.show.operation(ref, id),
    })
    reply.code(decided ? (outcome.status === 'accepted' ? 201 : 200) : 202)
    return decided ?? { id, payment, call, status: 'pending' }
  }
}
