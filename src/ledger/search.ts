import type { Database } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import { entrySource } from './entry-source.ts'
import {
  type EntryFound,
  type EntryPlace,
  type EntryQuery,
  findEntries,
  searchedUpTo,
  searchPlaces,
  sourceOfEntry,
} from './search-sql.ts'

export type EntryPage = {
  readonly entries: readonly EntryFound[]
  /** Where the next page begins; undefined at the end. */
  readonly next: EntryPlace | undefined
}

/**
 * A page of entries, the latest to take effect first. Entries that were there when the first page was asked for come exactly
 * once, however many are booked meanwhile: an entry never changes, nor does its place. A page may be short of the limit, or
 * empty, and not the last.
 */
export async function searchEntries(
  database: Database,
  { limit, ...query }: EntryQuery & { readonly limit: number },
): Promise<EntryPage> {
  const places = await searchPlaces(database, query, limit + 1)
  const shown = places.slice(0, limit)
  const found = await findEntries(
    database,
    query,
    shown.map(({ source }) => source),
  )
  const bySource = new Map(found.map((entry) => [entry.source, entry]))
  const next = places.length > limit ? places[limit - 1] : await endOfLook(database, query, places.at(-1))
  return { entries: shown.flatMap(({ source }) => bySource.get(source) ?? []), next }
}

/** Entries that came in between have moved the end of the look nearer, perhaps before what the page shows. */
async function endOfLook(
  database: Database,
  query: EntryQuery,
  last: EntryPlace | undefined,
): Promise<EntryPlace | undefined> {
  const end = await searchedUpTo(database, query)
  return end && last && isBefore(end, last) ? last : end
}

/** In the order of the list: the latest first. */
function isBefore(one: EntryPlace, other: EntryPlace): boolean {
  return one.effectiveAt === other.effectiveAt ? one.source > other.source : one.effectiveAt > other.effectiveAt
}

/** By the id it was asked for under, its source, or its own id: that last one once the projection has read it. */
export async function findEntry(database: Database, whose: Whose, name: string): Promise<EntryFound | undefined> {
  const [found] = await findEntries(database, whose, [entrySource(name), name])
  if (found) return found
  const source = name.startsWith('ent_') ? await sourceOfEntry(database, whose, name) : undefined
  return source === undefined ? undefined : (await findEntries(database, whose, [source]))[0]
}
