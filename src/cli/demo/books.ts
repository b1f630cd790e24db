import { type Held, refundedOf } from './held.ts'

/** Minor units by currency. */
export type Sums = Map<string, bigint>

/** Money that moved, by kind, as a gateway's own objects say it: what the ledger must agree with. */
export type Books = {
  readonly captured: Sums
  readonly fees: Sums
  readonly refunded: Sums
  readonly disputed: Sums
  readonly reinstated: Sums
  readonly lost: Sums
  readonly paidOut: Sums
}

export function newBooks(): Books {
  return {
    captured: new Map(),
    fees: new Map(),
    refunded: new Map(),
    disputed: new Map(),
    reinstated: new Map(),
    lost: new Map(),
    paidOut: new Map(),
  }
}

/** The currencies of the demo are those in which a gateway's unit is the minor unit. */
export function addTo(sums: Sums, currency: string, amount: number): void {
  const code = currency.toUpperCase()
  sums.set(code, (sums.get(code) ?? 0n) + BigInt(amount))
}

/** What the acquirer took, kept, gave back and lost, payment by payment. */
export function booksOf(all: Iterable<Held>): Books {
  const books = newBooks()
  for (const { currency, captured, fee, refunds, disputes } of all) {
    addTo(books.captured, currency, captured)
    addTo(books.fees, currency, fee)
    addTo(books.refunded, currency, refundedOf(refunds))
    for (const { amount, status, fees } of disputes.filter(({ took }) => took)) {
      addTo(books.disputed, currency, amount)
      addTo(books.fees, currency, fees)
      if (status === 'won') addTo(books.reinstated, currency, amount)
      if (status === 'lost') addTo(books.lost, currency, amount)
    }
  }
  return books
}

/** A kind of movement over several books. */
export function sumOf(all: readonly Books[], kind: keyof Books, currency: string): bigint {
  return all.reduce((sum, books) => sum + (books[kind].get(currency) ?? 0n), 0n)
}
