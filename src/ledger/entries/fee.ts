import { fees, receivable } from './account-names.ts'
import type { Legs, Parties } from './legs.ts'

/** The gateway has kept its fee, in whichever currency it charges it. */
export function fee({ account }: Parties): Legs {
  return { debit: fees(account), credit: receivable(account) }
}
