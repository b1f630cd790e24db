import type { Database } from '#kernel/database'
import type { PaymentStatus } from './derive.ts'
import { type OperationView, operationsOf } from './operation.ts'
import { find, type PaymentRef, type PaymentRow } from './sql.ts'
import type { Split } from './state.ts'

/** A payment as others may see it. Amounts in minor units. */
export type PaymentView = PaymentRef & {
  readonly status: PaymentStatus
  /** Null until its request is known: a payment that began at a gateway has none. */
  readonly amount: number | null
  readonly currency: string | null
  readonly merchant: string
  readonly captureMode: 'automatic' | 'manual' | null
  /** Unix milliseconds. */
  readonly expiresAt: number | null
  /** Absent: all of it is the merchant's. */
  readonly splits?: readonly Split[]
  /** Keyed digest of the body that was accepted. */
  readonly fingerprint: string | null
  /** Sealed customer reference, description and metadata. */
  readonly details: string | null
  readonly movements: readonly {
    readonly kind: string
    readonly account: string
    readonly object: string
    readonly amount: number
    readonly currency: string
  }[]
  readonly operations: readonly OperationView[]
  readonly createdAt: number
  readonly updatedAt: number
}

/** The payments of these refs that exist, as of the last commit. */
export async function findPayments(database: Database, refs: readonly PaymentRef[]): Promise<PaymentView[]> {
  return (await find(database, refs)).map(viewOf)
}

function viewOf(row: PaymentRow): PaymentView {
  const { request, booked } = row.state
  return {
    tenant: row.tenant,
    mode: row.mode,
    id: row.id,
    status: row.status,
    amount: request?.amount ?? null,
    currency: request?.currency ?? null,
    merchant: row.merchant,
    captureMode: request?.captureMode ?? null,
    expiresAt: request?.expiresAt ?? null,
    ...(request?.splits ? { splits: request.splits } : {}),
    fingerprint: row.fingerprint,
    details: row.details,
    movements: Object.values(booked)
      .filter(({ amount }) => amount !== 0)
      .map(({ kind, account, object, amount, currency }) => ({ kind, account, object, amount, currency })),
    operations: operationsOf(row.state),
    createdAt: row.created_at.getTime(),
    updatedAt: row.updated_at.getTime(),
  }
}
