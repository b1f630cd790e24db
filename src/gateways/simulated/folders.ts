import { type BoundedCache, createBoundedCache } from '#kernel/bounded-cache'
import type { Clock } from '#kernel/clock'
import type { Dispute, Intent, Refund } from './objects.ts'

/** Everything of one payment. */
export type Folder = { readonly intent: Intent; readonly refunds: Refund[]; readonly disputes: Dispute[] }

/** The payments a gateway still knows: the most recently used, by the id of any of their objects. */
export type Folders = {
  /** Safe to repeat, as objects are added to a payment. */
  file(folder: Folder): void
  /** By the id of an intent, charge, refund or dispute. */
  of(object: string): Folder | undefined
  /** By our payment id; the oldest first. */
  under(reference: string): readonly Folder[]
}

/** A reference is ours, one a payment; who uses it for more has the latest ones. */
const underReferenceMax = 100

export function createFolders(clock: Clock, entriesMax: number): Folders {
  const open = <Value>(): BoundedCache<Value> =>
    createBoundedCache<Value>(clock, { entriesMax, ageMaxMs: Number.POSITIVE_INFINITY })
  const byIntent = open<Folder>()
  const byOther = open<Folder>()
  const byReference = open<readonly Folder[]>()

  return {
    file(folder) {
      const { intent, refunds, disputes } = folder
      const others = [intent.latest_charge, refunds.at(-1), disputes.at(-1)]
      for (const object of others) if (object) byOther.set(object.id, folder, 0)
      if (byIntent.get(intent.id) !== undefined) return
      byIntent.set(intent.id, folder, 0)
      const reference = intent.metadata.millrace_payment
      if (reference === undefined) return
      const known = byReference.get(reference) ?? []
      byReference.set(reference, [...known, folder].slice(-underReferenceMax), 0)
    },
    of: (object) => byIntent.get(object) ?? byOther.get(object),
    under: (reference) => byReference.get(reference) ?? [],
  }
}
