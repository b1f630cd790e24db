/** The two accounts of a movement of money. A negative amount swaps the sides. */
export type Legs = { readonly debit: string; readonly credit: string }

/** Whose money moved, and at which of our accounts with a gateway. */
export type Parties = { readonly merchant: string; readonly account: string }
