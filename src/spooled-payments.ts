import type { Seal } from '#kernel/seal'
import type { BrowsedEvent } from '#log'
import { paymentRequested } from '#payments/events'
import type { Spool } from '#spool'

type PaymentRef = { readonly tenant: string; readonly mode: string; readonly id: string }
type First = NonNullable<Awaited<ReturnType<Spool['first']>>>

/** Payments that were accepted and are not on the log yet, as far as this process's spool knows them. */
export function createSpooledPayments(spool: Spool, seal: Pick<Seal, 'openBrought'>) {
  const find = async (ref: PaymentRef) => {
    const first = spool.holds(ref.id) ? await spool.first(ref.id) : undefined
    const event = first && requestIn(first, ref)
    return first && event && { event, keys: first.prepared.keys.map(({ row }) => row) }
  }

  return {
    holds: (id: string): boolean => spool.holds(id),
    /** What the door would remember of the request. */
    async remembered(ref: PaymentRef) {
      const data = (await find(ref))?.event.data
      if (data === undefined) return undefined
      const { fingerprint, risk } = data
      return { fingerprint, rejected: risk.isRefused ? risk.reasons : undefined }
    },
    /** The request as its event will be, but for its place. */
    request: async (ref: PaymentRef): Promise<BrowsedEvent | undefined> => (await find(ref))?.event,
    /** Undefined where the spool does not hold it, or its key. */
    async open(ref: PaymentRef, sealed: string, context: string): Promise<Buffer | undefined> {
      const found = await find(ref)
      return found && seal.openBrought(found.keys, sealed, context)
    },
  }
}

type Request = BrowsedEvent & { readonly data: NonNullable<(typeof paymentRequested)['data']> }

/** Written by this door, and sealed since: it fits its schema. */
function requestIn({ at, prepared }: First, { tenant, mode, id }: PaymentRef): Request | undefined {
  const encoded = prepared.events.find(({ key, type }) => key === id && type === paymentRequested.type)
  if (!encoded) return undefined
  const { topic, partition, key, type, json } = encoded
  const event: Request = { topic, partition, offset: -1n, key, type, time: new Date(at), ...JSON.parse(json) }
  return event.tenant === tenant && event.mode === mode ? event : undefined
}
