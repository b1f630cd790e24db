import { payable, receivable } from './account-names.ts'
import type { Legs, Parties } from './legs.ts'

/** The customer got money back: we owe the merchant less, and the gateway owes us less. */
export function refund({ merchant, account }: Parties): Legs {
  return { debit: payable(merchant), credit: receivable(account) }
}
