import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { Refusal } from '#kernel/errors'
import type { HttpServer } from '#kernel/http'
import type { Cursors } from '#kernel/http-cursor'
import { pageLimit, pageOf, pageQuery } from '#kernel/http-page'
import type { PaymentStatus } from './derive.ts'
import type { PaymentPage } from './list.ts'
import type { PaymentFilter, PaymentPlace, PaymentQuery } from './list-sql.ts'
import { bodyOf, PaymentShown } from './show.ts'
import type { PaymentView } from './view.ts'

type Whose = { readonly tenant: string; readonly mode: string }

export type PaymentListPorts = {
  readonly callers: {
    readonly check: (request: FastifyRequest) => Promise<void>
    of(request: FastifyRequest): Whose
  }
  readonly cursors: Cursors
  list(about: PaymentQuery & { readonly limit: number }): Promise<PaymentPage>
  /** The keyed digest by which a customer is known. */
  customerToken(tenant: string, customer: string): string
}

const Instant = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^[12]\\d{3}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:Z|[+-]\\d{2}:\\d{2})$',
      description: `${description}, as an RFC 3339 time: 2026-11-21T09:30:00Z`,
    }),
  )

const isStatus = {
  pending: true,
  authorized: true,
  captured: true,
  partially_refunded: true,
  refunded: true,
  disputed: true,
  rejected: true,
  failed: true,
  canceled: true,
  expired: true,
  unknown: true,
} as const satisfies Record<PaymentStatus, true>
const statuses = Object.keys(isStatus)

const querystring = Type.Object(
  {
    status: Type.Optional(
      Type.String({ pattern: `^(?:${statuses.join('|')})$`, description: `One of ${statuses.join(', ')}` }),
    ),
    merchant: Type.Optional(Type.String({ pattern: '^mer_[A-Za-z0-9]{1,60}$', description: 'Who is paid: mer_…' })),
    customer: Type.Optional(
      Type.String({ minLength: 1, maxLength: 255, description: 'Your reference of who pays, up to 255 characters' }),
    ),
    currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code, as in EUR' })),
    created_after: Instant('The first instant that counts'),
    created_before: Instant('The first instant that does not count any more'),
    ...pageQuery,
  },
  { additionalProperties: false },
)

/** What a list shows of each: neither what a person wrote nor what grows with the payment's life. */
const PaymentSummary = Type.Omit(PaymentShown, [
  'expires_at',
  'fingerprint',
  'movements',
  'operations',
  'customer',
  'description',
  'metadata',
])

const Place = Compile(Type.Tuple([Type.String(), Type.String()]))

export function paymentListRoutes(server: HttpServer, ports: PaymentListPorts): void {
  const { callers, cursors, customerToken } = ports
  server.get(
    '/v1/payments',
    {
      onRequest: callers.check,
      schema: {
        summary: 'List payments',
        description:
          'Newest first. Payments that exist when the first page is asked for come exactly once, however many are made ' +
          'meanwhile. What a person wrote is not in the list: ask for the payment itself. A request that was accepted a ' +
          'moment ago and is not decided yet is not in it either.',
        querystring,
        refusals: ['cursor_invalid', 'parameter_invalid'],
        response: { 200: pageOf(PaymentSummary, 'A page of payments.') },
      },
    },
    async (request) => {
      const whose = callers.of(request)
      const { limit, cursor, ...asked } = request.query
      const filter = filterOf(asked, (customer) => customerToken(whose.tenant, customer))
      const scope = `payments/${whose.tenant}/${whose.mode}/${JSON.stringify(filter)}`
      const after = cursor === undefined ? undefined : placeOf(cursors.read(scope, cursor, 'cursor'))
      const { payments, next } = await ports.list({
        tenant: whose.tenant,
        mode: whose.mode,
        filter,
        after,
        limit: pageLimit(limit),
      })
      const place = next && Buffer.from(JSON.stringify([next.createdAt, next.id]))
      return {
        data: payments.map(summaryOf),
        has_more: next !== undefined,
        next_cursor: place ? cursors.write(scope, place) : null,
      }
    },
  )
}

type Asked = Omit<Static<typeof querystring>, 'limit' | 'cursor'>

function filterOf(asked: Asked, tokenOf: (customer: string) => string): PaymentFilter {
  const { status, merchant, customer, currency } = asked
  return {
    status,
    merchant,
    customer: customer === undefined ? undefined : tokenOf(customer),
    currency,
    createdAfter: instantOf('created_after', asked.created_after),
    createdBefore: instantOf('created_before', asked.created_before),
  }
}

/** The shape alone lets the 45th of a month through. */
function instantOf(field: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const at = Date.parse(text)
  if (Number.isNaN(at)) {
    throw new Refusal('parameter_invalid', { field, detail: `${field} must be a day and time that exist` })
  }
  return new Date(at).toISOString()
}

function placeOf(bytes: Buffer): PaymentPlace {
  const place: unknown = JSON.parse(bytes.toString())
  if (!Place.Check(place)) throw new Refusal('cursor_invalid', { field: 'cursor' })
  const [createdAt, id] = place
  return { createdAt, id }
}

function summaryOf(payment: PaymentView): Static<typeof PaymentSummary> {
  const { expires_at: _, fingerprint: __, movements: ___, operations: ____, ...summary } = bodyOf(payment)
  return summary
}
