import { type Static, type TSchema, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { BrowsedEvent, DataOf } from '#log'
import { paymentRequested } from './events.ts'
import type { OperationView } from './operation.ts'
import type { PaymentRef } from './sql.ts'
import type { PaymentView } from './view.ts'

const text = Type.String()
const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const minorUnits = Type.Integer({ description: 'Minor units of the currency.' })
const instantText = Type.String({ description: 'RFC 3339.' })

/** An operation as the API shows it. */
export const OperationShown = Type.Object({
  id: text,
  payment: text,
  call: Type.String({ description: 'authorize, capture, cancel or refund.' }),
  account: Type.String({ description: 'Name of the gateway account; none where it was sent to none.' }),
  amount: nullable(minorUnits),
  currency: nullable(text),
  reason: nullable(text),
  status: Type.String({
    description:
      'pending, succeeded, failed (the gateway tried, and it did not come about), unknown (it may have taken place: the gateway is being asked), refused (not even tried).',
  }),
  code: nullable(Type.String({ description: 'Why it failed or was refused.' })),
  requested_at: instantText,
})
export type OperationShown = Static<typeof OperationShown>

/** A payment as the API shows it. */
export const PaymentShown = Type.Object({
  id: text,
  status: Type.String({
    description:
      'pending, authorized, captured, partially_refunded, refunded, disputed, rejected, failed, canceled, expired or unknown (a call may have taken place: the gateway is being asked).',
  }),
  amount: nullable(minorUnits),
  currency: nullable(text),
  merchant: text,
  capture_mode: nullable(text),
  expires_at: nullable(instantText),
  splits: Type.Optional(
    Type.Array(Type.Object({ merchant: Type.Optional(text), account: Type.Optional(text), amount: minorUnits }), {
      description: 'What others than the merchant have of the amount; absent where nobody has.',
    }),
  ),
  fingerprint: nullable(Type.String({ description: 'Keyed digest of the body that was accepted.' })),
  captured: minorUnits,
  refunded: minorUnits,
  movements: Type.Array(Type.Object({ kind: text, account: text, object: text, amount: minorUnits, currency: text }), {
    description: 'Money that moved, as the gateways report it: refunds made there included.',
  }),
  operations: Type.Array(OperationShown, { description: 'What was asked of a gateway, and what came of it.' }),
  created_at: instantText,
  updated_at: instantText,
  customer: nullable(text),
  description: nullable(text),
  metadata: nullable(Type.Record(Type.String(), Type.String())),
})
export type PaymentShown = Static<typeof PaymentShown>

export type ShowPorts = {
  find(ref: PaymentRef): Promise<PaymentView | undefined>
  /** All that the log holds of a payment, oldest first. */
  events(ref: PaymentRef): Promise<readonly BrowsedEvent[]>
  /** The JSON of the customer reference, description and metadata; undefined once they are erased. */
  openDetails(ref: PaymentRef, sealed: string): Promise<string | undefined>
}

/** Shows payments and their operations as the API does; undefined for what is not there. */
export function createShow(ports: ShowPorts) {
  const find = async (ref: PaymentRef) => (await ports.find(ref)) ?? (await accepted(ref, ports))
  return {
    schemas: { payment: PaymentShown, operation: OperationShown },
    async payment(ref: PaymentRef): Promise<PaymentShown | undefined> {
      const payment = await find(ref)
      return payment && { ...bodyOf(payment), ...(await personalOf(payment, ports)) }
    },
    async operation(ref: PaymentRef, id: string): Promise<OperationShown | undefined> {
      const payment = await find(ref)
      const operation = payment?.operations.find((one) => one.id === id)
      return payment && operation && operationShown(payment, operation)
    },
  }
}

/** All of a payment that is not personal. */
export function bodyOf(payment: PaymentView): Omit<PaymentShown, 'customer' | 'description' | 'metadata'> {
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
    ...(payment.splits ? { splits: [...payment.splits] } : {}),
    fingerprint,
    captured: total('capture'),
    refunded: total('refund'),
    movements: [...movements],
    operations: payment.operations.map((operation) => operationShown(payment, operation)),
    created_at: instant(payment.createdAt),
    updated_at: instant(payment.updatedAt),
  }
}

/** The authorization was asked for when the payment was. */
function operationShown({ id: payment, createdAt }: PaymentView, operation: OperationView): OperationShown {
  const { id, call, account, amount, currency, reason, status, code, requestedAt } = operation
  const requested_at = instant(requestedAt ?? createdAt)
  return { id, payment, call, account, amount, currency, reason, status, code, requested_at }
}

const requestSchema = Compile(paymentRequested.schema)

/** A payment that is on the log and not decided yet: an id that was answered with 202 is never unknown. */
async function accepted(ref: PaymentRef, ports: ShowPorts): Promise<PaymentView | undefined> {
  const event = (await ports.events(ref)).find(({ type }) => type === paymentRequested.type)
  const data: unknown = event?.data
  if (!event || !isRequest(data)) return undefined
  const { amount, currency, merchant, captureMode, expiresAt, splits, fingerprint, details: sealed } = data
  const at = event.time.getTime()
  const asked = { amount, currency, merchant, captureMode, expiresAt, fingerprint, details: sealed }
  return {
    ...ref,
    ...asked,
    ...(splits ? { splits } : {}),
    status: 'pending',
    movements: [],
    operations: [],
    createdAt: at,
    updatedAt: at,
  }
}

function isRequest(data: unknown): data is DataOf<typeof paymentRequested> {
  return requestSchema.Check(data)
}

const details = Compile(
  Type.Object({
    customer: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
)

async function personalOf({ details: sealed, ...ref }: PaymentView, ports: ShowPorts) {
  const opened: unknown = JSON.parse((sealed === null ? undefined : await ports.openDetails(ref, sealed)) ?? '{}')
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
