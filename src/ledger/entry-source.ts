import { hash } from 'node:crypto'
import type { Whose } from './book-sql.ts'

/** What an entry that was asked for under an id books: its name in the ledger, and the key of its event. */
export function entrySource(id: string): string {
  return `entry/${id}`
}

/** The id that an entry was asked for under; undefined for one that nobody asked for. */
export function idOfSource(source: string): string | undefined {
  const prefix = entrySource('')
  return source.startsWith(prefix) ? source.slice(prefix.length) : undefined
}

/** As the entry's row is named, from its event: what payments book is named within the event's key. */
export function entrySourceOf(key: string, source: string): string {
  return source === key ? source : `${key}/${source}`
}

/** A pure function of whose it is and what it books. */
export function entryId({ tenant, mode }: Whose, source: string): string {
  return `ent_${hash('sha256', `${tenant}\n${mode}\n${source}`, 'hex').slice(0, 32)}`
}
