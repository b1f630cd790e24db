import type { App } from '#app'
import { detailsContext } from '#intake'
import { isAway } from '#kernel/away'
import { Refusal } from '#kernel/errors'
import { type BrowsedEvent, eventsOfKey, isArchived } from '#log'
import { createShow, findPayments } from '#payments'

type PaymentRef = { readonly tenant: string; readonly mode: string; readonly id: string }

/** Events of one payment on one page; a lineage has a few dozen. */
const EVENTS_MAX = 1_000
const RETRY_SECONDS = 2
const FIND_ARCHIVED = 'an operator finds them: millrace events show, with the id of the payment'

/** Payments as they are shown, those that only the spool has included: an id that was answered with 202 is known. */
export function createPaymentsShown({ databases: { read }, seal, spooled }: App) {
  const onLog = ({ tenant, mode, id }: PaymentRef): Promise<BrowsedEvent[]> =>
    eventsOfKey(read, { key: id, tenant, mode, limit: EVENTS_MAX })

  const show = createShow({
    find: async (ref) => (await unlessSpooled(ref, findPayments(read, [ref])))?.[0],
    async events(ref) {
      const events = await unlessSpooled(ref, onLog(ref))
      if (events && events.length > 0) return events
      const request = await spooled?.request(ref)
      return request ? [request] : []
    },
    async openDetails(ref, sealed) {
      const context = detailsContext(ref.tenant)
      const opened = await spooled?.open(ref, sealed, context)
      return (opened ?? (await seal.open([sealed], context))[0])?.toString('utf8')
    },
  })

  /** Undefined where the database cannot say, and the spool can. */
  async function unlessSpooled<T>(ref: PaymentRef, asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked
    } catch (error) {
      if (!isAway(error) || !spooled?.holds(ref.id)) throw error
      return undefined
    }
  }

  /** Whether some of its events may be in the archive alone: the rest would pass for all. */
  async function isCut(ref: PaymentRef): Promise<boolean> {
    const [payment] = await findPayments(read, [ref])
    return payment !== undefined && isArchived(read, ref.id, new Date(payment.createdAt))
  }

  return {
    show,
    async events(ref: PaymentRef): Promise<BrowsedEvent[]> {
      const events = await onLog(ref)
      // Accepted, and without a place on the log: to say that there is no such payment would be wrong.
      if (events.length === 0 && spooled?.holds(ref.id)) {
        throw new Refusal('log_unavailable', { retryAfterSeconds: RETRY_SECONDS })
      }
      if (await isCut(ref)) throw new Refusal('events_archived', { detail: FIND_ARCHIVED })
      return events
    },
  }
}
