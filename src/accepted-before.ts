import { batched } from '#kernel/batched'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { findPayments } from '#payments'

type PaymentRef = { readonly tenant: string; readonly mode: string; readonly id: string }

/** How long the door waits to learn of an earlier request under the same key; then it goes on without. */
const FIND_DEADLINE_MS = 50
const FIND_BATCH_MAX = 256

/** Looks up what was accepted under an id: in time, or not at all. */
export function createAcceptedBefore(database: Database, clock: Clock) {
  const findOne = batched(FIND_BATCH_MAX, (refs: readonly PaymentRef[]) => findAccepted(database, refs))
  return (ref: PaymentRef) => inTime(clock, findOne(ref))
}

/** What was accepted under each of the ids, in order: asked for requests of the moment together, a statement for all. */
async function findAccepted(database: Database, refs: readonly PaymentRef[]) {
  const nameOf = ({ tenant, mode, id }: PaymentRef): string => `${tenant}/${mode}/${id}`
  const found = new Map((await findPayments(database, refs)).map((payment) => [nameOf(payment), payment]))
  return refs.map((ref) => {
    const payment = found.get(nameOf(ref))
    if (payment?.fingerprint == null) return undefined
    return { fingerprint: payment.fingerprint, rejected: payment.status === 'rejected' ? ['risk'] : undefined }
  })
}

/** A query port's fallback: after the deadline, or with the database away, nothing is known. */
async function inTime<T>(clock: Clock, answer: Promise<T>): Promise<T | undefined> {
  const answered = new AbortController()
  const late = clock.sleep(FIND_DEADLINE_MS, answered.signal).then(() => undefined)
  const first = await Promise.race([answer.catch(() => undefined), late])
  // With a reason of ours: making the default one takes 10 µs.
  answered.abort('over')
  return first
}
