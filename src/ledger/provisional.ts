import { Type } from 'typebox'

/** What an answer says of itself: whether all that it counts is sealed, and up to when everything is. */
export const Sealing = {
  provisional: Type.Boolean({
    description: 'Some of what it counts may be in no sealed block yet. Never so for a booked_at up to sealed_through.',
  }),
  sealed_through: Type.Union([Type.String(), Type.Null()], {
    description:
      'Whatever was booked up to this instant is in a sealed block; null until every partition of the log has had an entry.',
  }),
}

type Counted = {
  /** What was booked by then was asked for; undefined: everything. */
  readonly bookedAt: number | undefined
  /** When the last of what is counted was booked, or later; undefined for nothing. */
  readonly lastBookedAt: number | undefined
}

/** Newer than the last sealed block. All in Unix milliseconds; nothing is sealed where `sealedThrough` is undefined. */
export function isProvisional(sealedThrough: number | undefined, { bookedAt, lastBookedAt }: Counted): boolean {
  if (lastBookedAt === undefined) return false
  return sealedThrough === undefined || (lastBookedAt > sealedThrough && (bookedAt ?? lastBookedAt) > sealedThrough)
}

/** As `Sealing` has it. */
export function shownSealing(sealedThrough: number | undefined, provisional: boolean) {
  return { provisional, sealed_through: sealedThrough === undefined ? null : new Date(sealedThrough).toISOString() }
}
