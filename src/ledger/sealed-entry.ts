import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { InvariantViolation } from '#kernel/invariant'
import type { History } from '#log'
import type { SealedEntry } from './block.ts'
import { entrySourceOf } from './entry-source.ts'
import { entryPosted } from './events.ts'

/** A row of topic `ledger`, as history gives it. */
export type LedgerRow = ReturnType<History['read']> extends AsyncIterable<readonly (infer Of)[]> ? Of : never

const isPosted = Compile(Type.Object({ tenant: Type.String(), mode: Type.String(), data: entryPosted.schema }))

/** What is sealed of the row; undefined for what is no entry. @throws InvariantViolation for one that cannot be read. */
export function sealedIn({ topic, partition, offset, key, type, time, event }: LedgerRow): SealedEntry | undefined {
  if (type !== entryPosted.type) return undefined
  const headers: unknown = JSON.parse(event)
  if (!isPosted.Check(headers)) throw new InvariantViolation(`${topic}/${partition} at ${offset} is not an entry`)
  const { tenant, mode, data } = headers
  const { entry, source, purpose, effectiveAt, postings } = data as Omit<SealedEntry, 'tenant' | 'mode' | 'bookedAt'>
  const about = { tenant, mode, entry, source: entrySourceOf(key, source), purpose, effectiveAt, postings }
  return { ...about, bookedAt: time.getTime() }
}
