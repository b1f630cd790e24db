import type { SimulatedGateway } from '#gateways/simulated'

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

/** What a gateway charged for these payments of ours. */
export function booksOf(gateway: SimulatedGateway, payments: Iterable<string>): Books {
  const books = newBooks()
  for (const payment of payments) {
    for (const { latest_charge: charge } of gateway.intentsOf(payment)) {
      if (!charge?.captured) continue
      addTo(books.captured, charge.currency, charge.amount_captured)
      addTo(books.fees, charge.currency, charge.balance_transaction?.fee ?? 0)
    }
  }
  return books
}

/** A kind of movement over several books. */
export function sumOf(all: readonly Books[], kind: keyof Books, currency: string): bigint {
  return all.reduce((sum, books) => sum + (books[kind].get(currency) ?? 0n), 0n)
}
