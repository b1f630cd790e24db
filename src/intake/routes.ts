import type { FastifyReply, FastifyRequest } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Mode, TenantId } from '#kernel/ids'
import type { AcceptOutcome, PaymentOffer } from './accept-payment.ts'
import type { WebhookOffer } from './accept-webhook.ts'
import { headersRead, keyRefusals } from './documented.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { PaymentBody } from './request.ts'
import { decidedWithin, type WhenDecided } from './wait.ts'

export type Caller = { readonly tenant: TenantId; readonly mode: Mode }

export type IntakePorts = {
  /** Who a request is made by, before its body is read; throws the refusal that answers it otherwise. */
  readonly callers: { readonly check: (request: FastifyRequest) => Promise<void>; of(request: FastifyRequest): Caller }
  acceptPayment(offer: PaymentOffer): Promise<AcceptOutcome>
  acceptWebhook(offer: WebhookOffer): Promise<{ eventId: string }>
  /** A payment as it is shown, and the schema of that. */
  readonly show: {
    payment(ref: { tenant: string; mode: string; id: string }): Promise<{ readonly status: string } | undefined>
    readonly schemas: { readonly payment: TSchema }
  }
  readonly whenDecided?: WhenDecided
}

const Accepted = Type.Object(
  { id: Type.String({ description: 'Of the payment: `pay_…`.' }), status: Type.Literal('pending') },
  { description: 'Accepted: it is on the log.' },
)
const Received = Type.Object({ received: Type.Literal(true) })
const IdParams = Type.Object({ gateway: Type.String(), account: Type.String() })

/** The largest webhook body, in bytes: gateways send a few tens of kilobytes at most. */
const WEBHOOK_BYTES_MAX = 128 * 1024

export function intakeRoutes(server: HttpServer, ports: IntakePorts): void {
  const { payment: Payment } = ports.show.schemas
  const response = { 200: Payment, 201: Payment, 202: Accepted }
  // 202, not 201: the payment is accepted here; it is decided and executed behind the log.
  server.post(
    '/v1/payments',
    {
      schema: {
        summary: 'Make a payment',
        body: PaymentBody,
        headersRead,
        refusals: [...keyRefusals, 'currency_unknown', 'payment_rejected', 'split_exceeded'],
        response,
      },
      onRequest: ports.callers.check,
    },
    async (request, reply) => {
      const { tenant, mode } = ports.callers.of(request)
      const idempotencyKey = idempotencyKeyOf(request)
      const { body, traceparent } = request
      const outcome = await ports.acceptPayment({ tenant, mode, idempotencyKey, body, traceparent })
      switch (outcome.status) {
        case 'accepted':
        case 'repeated':
          return decided(outcome, { tenant, mode }, request, reply)
        case 'rejected':
          throw new Refusal('payment_rejected', { detail: `refused by the risk rules: ${outcome.reasons.join(', ')}` })
        case 'key_reused':
          throw new Refusal('idempotency_key_reused', { field: 'Idempotency-Key' })
      }
    },
  )

  server.post(
    '/v1/gateways/:gateway/:account/webhooks',
    {
      schema: {
        summary: 'Take a webhook of a gateway',
        params: IdParams,
        headersRead: { 'Stripe-Signature': { description: "The gateway's signature of the body.", isRequired: true } },
        refusals: ['body_malformed', 'gateway_account_not_found', 'signature_invalid', 'signature_stale'],
        response: { 200: Received },
      },
      bodyLimit: WEBHOOK_BYTES_MAX,
    },
    async (request) => {
      const { gateway, account } = request.params
      const signature = request.headers['stripe-signature']
      await ports.acceptWebhook({
        gateway,
        account,
        body: request.rawBody,
        json: request.body,
        signature: typeof signature === 'string' ? signature : undefined,
        traceparent: request.traceparent,
      })
      return { received: true as const }
    },
  )

  async function decided(
    { id, status }: AcceptOutcome,
    caller: Caller,
    request: FastifyRequest,
    reply: Pick<FastifyReply, 'code' | 'header'>,
  ) {
    const ref = { ...caller, id }
    const shown = await decidedWithin(request, reply, {
      wait: (seconds) => ports.whenDecided?.(ref, {}, seconds),
      look: () => ports.show.payment(ref),
    })
    reply.code(shown ? (status === 'accepted' ? 201 : 200) : 202)
    return shown ?? { id, status: 'pending' as const }
  }
}
