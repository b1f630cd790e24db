import type { Database, Tx } from '#kernel/database'
import { appendRows, encode } from './codec.ts'
import type { NewEvent } from './event.ts'
import * as sql from './sql.ts'

/**
 * A transaction of whoever holds the lease of a group that reads no topic: effects and facts commit
 * together, or, when the lease has changed hands, not at all. Returns whether it still held.
 */
export async function fencedTransaction(
  database: Database,
  group: string,
  leases: sql.Leases,
  work: (tx: Tx) => Promise<readonly NewEvent[]>,
): Promise<boolean> {
  if (leases.size === 0) return false
  return database.transaction({}, async (tx) => {
    if ((await sql.fence(tx, group, leases)).length < leases.size) return false
    const encoded = (await work(tx)).map((event) => encode(event))
    if (encoded.length > 0) await sql.append(tx, appendRows(encoded))
    return true
  })
}
