import { Type } from 'typebox'
import { eventType } from '#log'

/** An entry was booked. Amounts are text, because sums may pass 2^53. Key: payment, else the entry's source. */
export const entryPosted = eventType({
  type: 'ledger.entry_posted',
  topic: 'ledger',
  schema: Type.Object({
    entry: Type.String(),
    source: Type.String(),
    purpose: Type.String(),
    /** Unix milliseconds. */
    effectiveAt: Type.Integer(),
    postings: Type.Array(
      Type.Object({
        account: Type.String(),
        /** Debits positive, credits negative, minor units. */
        amount: Type.String({ pattern: '^-?[0-9]{1,30}$' }),
        currency: Type.String({ pattern: '^[A-Z]{3}$' }),
      }),
      { minItems: 2 },
    ),
  }),
})
