import type { Database } from '#kernel/database'
import { hasUnindexed, listPlaces, lookedUpTo, type PaymentPlace, type PaymentQuery } from './list-sql.ts'
import { findPayments, type PaymentView } from './view.ts'

export type PaymentPage = {
  readonly payments: readonly PaymentView[]
  /** Where the next page begins; undefined at the end. */
  readonly next: PaymentPlace | undefined
}

/**
 * A page of payments, newest first. Payments that were there when the first page was asked for come exactly once, however
 * many are made meanwhile: a place in the list never changes. One whose status changes may enter or leave a list by
 * status. A page may be short of the limit, or empty, and not the last.
 */
export async function listPayments(
  database: Database,
  { limit, ...query }: PaymentQuery & { readonly limit: number },
): Promise<PaymentPage> {
  const places = await listPlaces(database, query, limit + 1)
  const shown = places.slice(0, limit)
  const found = await findPayments(
    database,
    shown.map(({ id }) => ({ tenant: query.tenant, mode: query.mode, id })),
  )
  const byId = new Map(found.map((payment) => [payment.id, payment]))
  return { payments: shown.flatMap(({ id }) => byId.get(id) ?? []), next: await nextOf(database, query, places, limit) }
}

async function nextOf(
  database: Database,
  query: PaymentQuery,
  places: readonly PaymentPlace[],
  limit: number,
): Promise<PaymentPlace | undefined> {
  if (places.length > limit) return places[limit - 1]
  if (!hasUnindexed(query.filter)) return undefined
  const end = await lookedUpTo(database, query)
  const last = places.at(-1)
  // Payments that came in between have moved that end nearer, perhaps before what the page shows.
  return end && last && isBefore(end, last) ? last : end
}

/** In the order of the list: newest first. */
function isBefore(one: PaymentPlace, other: PaymentPlace): boolean {
  return one.createdAt === other.createdAt ? one.id > other.id : one.createdAt > other.createdAt
}
