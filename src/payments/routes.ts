import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { type BrowsedEvent, toCloudEvent } from '#log'
import { PaymentShown } from './show.ts'
import type { PaymentRef } from './sql.ts'

export type PaymentRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  readonly show: { payment(ref: PaymentRef): Promise<PaymentShown | undefined> }
  /** All that the log holds of a payment, oldest first. */
  events(ref: PaymentRef): Promise<readonly BrowsedEvent[]>
}

const params = Type.Object({ id: Type.String() })
const Events = Type.Object({
  data: Type.Array(Type.Unknown(), { description: 'CloudEvents 1.0, oldest first.' }),
})

export function paymentRoutes(server: HttpServer, ports: PaymentRoutePorts): void {
  const refOf = (request: FastifyRequest, id: string): PaymentRef => {
    const { tenant, mode } = ports.callers.of(request)
    return { tenant, mode, id }
  }

  server.get(
    '/v1/payments/:id',
    {
      schema: {
        summary: 'Show a payment',
        params,
        refusals: ['payment_not_found'],
        response: { 200: PaymentShown },
      },
      onRequest: ports.callers.check,
    },
    async (request) => {
      const payment = await ports.show.payment(refOf(request, request.params.id))
      if (!payment) throw new Refusal('payment_not_found', { field: 'id' })
      return payment
    },
  )

  server.get(
    '/v1/payments/:id/events',
    {
      schema: {
        summary: 'List the events of a payment',
        params,
        refusals: ['events_archived', 'payment_not_found'],
        response: { 200: Events },
      },
      onRequest: ports.callers.check,
    },
    async (request) => {
      const events = await ports.events(refOf(request, request.params.id))
      if (events.length === 0) throw new Refusal('payment_not_found', { field: 'id' })
      return { data: events.map(toCloudEvent) }
    },
  )
}
