import { payable, receivable } from './account-names.ts'
import type { Legs, Parties } from './legs.ts'

/** The gateway has taken a customer's money: it owes us, we owe the merchant. */
export function capture({ merchant, account }: Parties): Legs {
  return { debit: receivable(account), credit: payable(merchant) }
}
