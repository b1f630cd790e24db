import { forget } from '#delivery'
import type { Database } from '#kernel/database'
import { destinationOf, idsOf, sequenceOf } from './message-id.ts'
import * as sql from './sql/messages.ts'

/** Messages of one endpoint that go in one transaction: the fan-out waits for it. */
const BATCH = 500

/**
 * Drops from the streams what is older, with its deliveries and their attempts, as far as all of it is over. Nothing offers
 * such a delivery again: sequences only grow, and whoever asks for a repetition from there on is refused.
 */
export async function dropOldMessages(
  database: Database,
  endpoints: readonly string[],
  olderThanMs: number,
): Promise<boolean> {
  let isMore = false
  for (const stream of await sql.oldStreams(database, endpoints, olderThanMs, BATCH)) {
    isMore = (await drop(database, stream)) || isMore
  }
  return isMore
}

async function drop(database: Database, { endpoint, isDeleted, upTo }: sql.OldStream): Promise<boolean> {
  return database.transaction({}, async (tx) => {
    const position = await sql.lockPosition(tx, endpoint, destinationOf(endpoint))
    if (!position) return false
    // What was never handed over waits for its endpoint to come back, unless it is gone for good.
    const oldest = isDeleted ? upTo : Math.min(upTo, position.pushed)
    const open = await forget(tx, idsOf(endpoint, oldest))
    const end = open === undefined ? oldest : sequenceOf(open) - 1
    if (end < position.keptFrom) return false
    await sql.keepFrom(tx, endpoint, end + 1)
    return true
  })
}
