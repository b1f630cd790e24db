import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Mode, TenantId } from '#kernel/ids'
import type { AcceptOutcome, PaymentOffer } from './accept-payment.ts'
import type { WebhookOffer } from './accept-webhook.ts'
import { PaymentBody } from './request.ts'

export type Caller = { readonly tenant: TenantId; readonly mode: Mode }

export type IntakePorts = {
  /** Who a request is made by, before its body is read; throws the refusal that answers it otherwise. */
  readonly callers: { readonly check: (request: FastifyRequest) => Promise<void>; of(request: FastifyRequest): Caller }
  acceptPayment(offer: PaymentOffer): Promise<AcceptOutcome>
  acceptWebhook(offer: WebhookOffer): Promise<{ eventId: string }>
}

const IdParams = Type.Object({ gateway: Type.String(), account: Type.String() })

/** The largest webhook body, in bytes: gateways send a few tens of kilobytes at most. */
const WEBHOOK_BYTES_MAX = 128 * 1024

export function intakeRoutes(server: HttpServer, ports: IntakePorts): void {
  // 202, not 201: the payment is accepted here; it is decided and executed behind the log.
  server.post(
    '/v1/payments',
    { schema: { body: PaymentBody }, onRequest: ports.callers.check },
    async (request, reply) => {
      const { tenant, mode } = ports.callers.of(request)
      const idempotencyKey = keyOf(request.headers['idempotency-key'])
      const { body, traceparent } = request
      const outcome = await ports.acceptPayment({ tenant, mode, idempotencyKey, body, traceparent })
      switch (outcome.status) {
        case 'accepted':
        case 'repeated':
          reply.code(202)
          return { id: outcome.id, status: 'pending' }
        case 'rejected':
          throw new Refusal('payment_rejected', { detail: `refused by the risk rules: ${outcome.reasons.join(', ')}` })
        case 'key_reused':
          throw new Refusal('idempotency_key_reused', { field: 'Idempotency-Key' })
      }
    },
  )

  server.post(
    '/v1/gateways/:gateway/:account/webhooks',
    { schema: { params: IdParams }, bodyLimit: WEBHOOK_BYTES_MAX },
    async (request) => {
      const { gateway, account } = request.params
      const signature = request.headers['stripe-signature']
      await ports.acceptWebhook({
        gateway,
        account,
        body: request.rawBody,
        signature: typeof signature === 'string' ? signature : undefined,
        traceparent: request.traceparent,
      })
      return { received: true }
    },
  )
}

function keyOf(header: string | string[] | undefined): string {
  if (header === undefined || header === '') throw new Refusal('idempotency_key_missing', { field: 'Idempotency-Key' })
  if (typeof header !== 'string' || header.length > 255) {
    throw new Refusal('idempotency_key_invalid', { field: 'Idempotency-Key' })
  }
  return header
}
