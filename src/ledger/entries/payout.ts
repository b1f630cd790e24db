import { bank, receivable } from './account-names.ts'
import type { Legs, Parties } from './legs.ts'

/** The gateway has paid what it owed us. */
export function payout({ account }: Parties): Legs {
  return { debit: bank(account), credit: receivable(account) }
}
