import { disputed, payable, receivable } from './account-names.ts'
import type { Legs, Parties } from './legs.ts'

/** The gateway has taken the disputed money back. The merchant's claim stands until the dispute is lost. */
export function dispute({ account }: Parties): Legs {
  return { debit: disputed(account), credit: receivable(account) }
}

/** The gateway has given the disputed money back. */
export function disputeReinstated({ account }: Parties): Legs {
  return { debit: receivable(account), credit: disputed(account) }
}

/** The disputed money is gone for good, at the merchant's expense. */
export function disputeLost({ merchant, account }: Parties): Legs {
  return { debit: payable(merchant), credit: disputed(account) }
}
