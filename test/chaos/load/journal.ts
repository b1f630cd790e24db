import type { AskedOperation, AskedPayment, ReportedPayment } from '../audit/evidence.ts'

/** What clients know for certain: everything that was answered with a 2xx, and nothing else. */
export type Journal = {
  asked(payment: Omit<AskedPayment, 'repeated' | 'acceptedAt'>): void
  operation(operation: AskedOperation): void
  reported(payment: ReportedPayment): void
  /** A 2xx that is not a payment's first. */
  accepted(): void
  /** A refund that was possible was refused for the moment, one before it being in doubt. */
  postponed(): void
  /** An answer that no promise allows, with what was asked. */
  broke(claim: string): void
  readonly payments: ReadonlyMap<string, AskedPayment>
  readonly operations: ReadonlyMap<string, AskedOperation>
  readonly reports: readonly ReportedPayment[]
  readonly broken: readonly string[]
  /** When anything was accepted, Unix milliseconds, in order. */
  readonly acceptedAt: readonly number[]
  postponements(): number
}

export function openJournal(now: () => number): Journal {
  const payments = new Map<string, AskedPayment & { repeated: string[] }>()
  const byNumber = new Map<number, string>()
  const operations = new Map<string, AskedOperation>()
  const reports: ReportedPayment[] = []
  const broken: string[] = []
  const acceptedAt: number[] = []
  let postponements = 0

  const accepted = (): void => void acceptedAt.push(now())
  return {
    asked(payment) {
      accepted()
      const first = payments.get(byNumber.get(payment.n) ?? '')
      if (first) first.repeated.push(payment.id)
      else if (payments.has(payment.id)) broken.push(`${payment.id} was answered to two different requests`)
      else {
        byNumber.set(payment.n, payment.id)
        payments.set(payment.id, { ...payment, acceptedAt: now(), repeated: [] })
      }
    },
    operation(operation) {
      accepted()
      operations.set(operation.id, operation)
    },
    reported: (payment) => void reports.push(payment),
    accepted,
    postponed: () => void postponements++,
    broke: (claim) => void broken.push(claim),
    payments,
    operations,
    reports,
    broken,
    acceptedAt,
    postponements: () => postponements,
  }
}
