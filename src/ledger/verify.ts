import type { Database } from '#kernel/database'
import { integrity } from './sql.ts'

export type LedgerVerdict = {
  readonly entries: bigint
  readonly postings: bigint
  /** What is wrong, a sentence each; empty when all is well. */
  readonly findings: readonly string[]
}

/** Checks that every entry balances, that all of them do, and that every balance is the sum of its postings. */
export async function verifyLedger(database: Database): Promise<LedgerVerdict> {
  const { entries, postings, unbalanced, unbalancedEntries, drift } = await integrity(database)
  return {
    entries,
    postings,
    findings: [
      ...unbalancedEntries.map(({ source }) => `entry ${source} does not balance`),
      ...unbalanced.map(({ currency, difference }) => `postings in ${currency} add up to ${difference}, not to zero`),
      ...drift.map(
        ({ account, currency, booked, projected }) =>
          `${account} has ${projected ?? 'no'} ${currency} by its balance and ${booked ?? 'no'} by its postings`,
      ),
    ],
  }
}
