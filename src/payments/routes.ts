import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import { type BrowsedEvent, type DataOf, toCloudEvent } from '#log'
import { paymentRequested } from './events.ts'
import type { PaymentRef } from './sql.ts'
import type { PaymentView } from './view.ts'

export type PaymentRoutePorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): { readonly tenant: string; readonly mode: string }
  }
  find(ref: PaymentRef): Promise<PaymentView | undefined>
  /** All that the log holds of a payment, oldest first. */
  events(ref: PaymentRef): Promise<readonly BrowsedEvent[]>
  /** The JSON of the customer reference, description and metadata; undefined once they are erased. */
  openDetails(tenant: string, sealed: string): Promise<string | undefined>
}

const params = Type.Object({ id: Type.String() })
const Details = Type.Object({
  customer: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
})
const details = Compile(Details)
const requestSchema = Compile(paymentRequested.schema)

export function paymentRoutes(server: HttpServer, ports: PaymentRoutePorts): void {
  const options = { schema: { params }, onRequest: ports.callers.check }
  const refOf = (request: FastifyRequest, id: string): PaymentRef => {
    const { tenant, mode } = ports.callers.of(request)
    return { tenant, mode, id }
  }

  server.get('/v1/payments/:id', options, async (request) => {
    const ref = refOf(request, request.params.id)
    const payment = (await ports.find(ref)) ?? (await accepted(ref, ports))
    if (!payment) throw new Refusal('payment_not_found', { field: 'id' })
    return { ...bodyOf(payment), ...(await personalOf(payment, ports)) }
  })

  server.get('/v1/payments/:id/events', options, async (request) => {
    const events = await ports.events(refOf(request, request.params.id))
    if (events.length === 0) throw new Refusal('payment_not_found', { field: 'id' })
    return { data: events.map(toCloudEvent) }
  })
}

/** A payment that is on the log and not decided yet: an id that was answered with 202 is never unknown. */
async function accepted(ref: PaymentRef, ports: PaymentRoutePorts): Promise<PaymentView | undefined> {
  const event = (await ports.events(ref)).find(({ type }) => type === paymentRequested.type)
  const data: unknown = event?.data
  if (!event || !isRequest(data)) return undefined
  const { amount, currency, merchant, captureMode, expiresAt, fingerprint, details: sealed } = data
  const at = event.time.getTime()
  const asked = { amount, currency, merchant, captureMode, expiresAt, fingerprint, details: sealed }
  return { ...ref, ...asked, status: 'pending', movements: [], createdAt: at, updatedAt: at }
}

function isRequest(data: unknown): data is DataOf<typeof paymentRequested> {
  return requestSchema.Check(data)
}

function bodyOf(payment: PaymentView) {
  const { id, status, merchant, fingerprint, movements } = payment
  const currency = payment.currency ?? movements[0]?.currency ?? null
  const total = (kind: string): number =>
    movements
      .filter((movement) => movement.kind === kind && movement.currency === currency)
      .reduce((sum, { amount }) => sum + amount, 0)
  return {
    id,
    status,
    amount: payment.amount,
    currency,
    merchant,
    capture_mode: payment.captureMode,
    expires_at: payment.expiresAt === null ? null : instant(payment.expiresAt),
    fingerprint,
    captured: total('capture'),
    refunded: total('refund'),
    movements: movements.map(({ kind, account, object, amount, currency: moved }) => {
      return { kind, account, object, amount, currency: moved }
    }),
    created_at: instant(payment.createdAt),
    updated_at: instant(payment.updatedAt),
  }
}

async function personalOf({ tenant, details: sealed }: PaymentView, ports: PaymentRoutePorts) {
  const text = sealed === null ? undefined : await ports.openDetails(tenant, sealed)
  const opened: unknown = text === undefined ? {} : JSON.parse(text)
  const known = details.Check(opened) ? opened : {}
  return {
    customer: known.customer ?? null,
    description: known.description ?? null,
    metadata: known.metadata ?? null,
  }
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
