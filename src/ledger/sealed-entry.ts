import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { InvariantViolation } from '#kernel/invariant'
import type { DataOf } from '#log'
import type { SealedEntry } from './block.ts'
import type { Whose } from './book-sql.ts'
import { entrySourceOf } from './entry-source.ts'
import { entryPosted } from './events.ts'

/** A row of topic `ledger`: of history, of the archive, or of an export. */
export type LedgerRow = {
  readonly partition: number
  readonly offset: bigint
  readonly key: string
  readonly type: string
  readonly time: Date
  readonly event: string
}

const isPosted = Compile(Type.Object({ tenant: Type.String(), mode: Type.String(), data: entryPosted.schema }))

/**
 * What is sealed of an event: its data as they stand, with whatever a newer version has added to them, so that processes of
 * two versions make the same leaf of it.
 */
export function sealedEntry(
  { tenant, mode }: Whose,
  about: { readonly key: string; readonly bookedAt: number },
  data: DataOf<typeof entryPosted>,
): SealedEntry {
  return { ...data, tenant, mode, source: entrySourceOf(about.key, data.source), bookedAt: about.bookedAt }
}

/** What is sealed of the row; undefined for what is no entry. @throws InvariantViolation for one that cannot be read. */
export function sealedIn({ partition, offset, key, type, time, event }: LedgerRow): SealedEntry | undefined {
  if (type !== entryPosted.type) return undefined
  const headers: unknown = JSON.parse(event)
  if (!isPosted.Check(headers)) {
    throw new InvariantViolation(`${entryPosted.topic}/${partition} at ${offset} is not an entry`)
  }
  return sealedEntry(headers, { key, bookedAt: time.getTime() }, headers.data as DataOf<typeof entryPosted>)
}
