import type { Database } from '#kernel/database'
import { UsageError } from '#kernel/errors'
import { createHistory, type History } from '#log'
import type { Head } from './block.ts'
import { positionDrift } from './conversion-sql.ts'
import { integrity } from './sql.ts'
import { verifyBlocks } from './verify-blocks.ts'

export type LedgerVerdict = {
  readonly entries: bigint
  readonly postings: bigint
  /** Sealed blocks that were made again; undefined where the archive alone has their entries, and was not given. */
  readonly blocks: number | undefined
  /** The last block of each partition; none where blocks were not made again. */
  readonly heads: readonly Head[]
  /** What is wrong, a sentence each; empty when all is well. */
  readonly findings: readonly string[]
}

/**
 * Checks that every entry balances, that all of them do, that every balance is the sum of its postings and every position of
 * what conversions have moved; that entries are as they were sealed; and that the blocks whose hashes somebody noted are
 * there. `history` reads the archive as well, if it is given one.
 */
export async function verifyLedger(
  database: Database,
  history: History = createHistory({ database }),
  noted: readonly string[] = [],
): Promise<LedgerVerdict> {
  const { entries, postings, unbalanced, unbalancedEntries, drift } = await integrity(database)
  const positions = await positionDrift(database)
  const seals = await verifyBlocks(database, history, noted).catch(unlessArchived)
  return {
    entries,
    postings,
    blocks: seals?.blocks,
    heads: seals?.heads ?? [],
    findings: [
      ...(seals?.findings ?? []),
      ...unbalancedEntries.map(({ source }) => `entry ${source} does not balance`),
      ...unbalanced.map(({ currency, difference }) => `postings in ${currency} add up to ${difference}, not to zero`),
      ...positions.map(
        ({ currency, booked, moved }) =>
          `the position in ${currency} is ${booked}, and conversions have moved ${moved}`,
      ),
      ...drift.map(
        ({ account, currency, booked, projected }) =>
          `${account} has ${projected ?? 'no'} ${currency} by its balance and ${booked ?? 'no'} by its postings`,
      ),
    ],
  }
}

/** What is in the archive alone cannot be read without it. */
function unlessArchived(error: unknown): undefined {
  if (!(error instanceof UsageError)) throw error
}
