import type { ObjectReport } from '#gateways/events'
import type { DropReason } from './currency.ts'
import type { DigestId } from './safe.ts'

/** An object we understood to be there, and could not report. */
export type Dropped = { readonly kind: ObjectReport['kind']; readonly reason: DropReason }

/** What one object of a payload comes to. */
export type Finding = { readonly report: ObjectReport } | { readonly dropped: Dropped }

/** What the objects around it say about an object. */
export type About = {
  readonly digest: DigestId
  readonly eventType: string
  /** Enclosing objects of the same payment, nearest first. */
  readonly parents: readonly string[]
}

export function found(report: ObjectReport): Finding {
  return { report }
}

export function dropped(kind: ObjectReport['kind'], reason: DropReason): Finding {
  return { dropped: { kind, reason } }
}
