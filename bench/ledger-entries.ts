/** What the ledger's load consists of: pure, so that whoever checks the books knows what must be in them. */

export type LedgerLoad = {
  /** Names its entries apart from those of other loads. */
  readonly run: string
  readonly entries: number
  /** Requests under way at once, or connections at most where `perSecond` is set. */
  readonly clients: number
  /** Entries of one request; 1: the API for single ones. */
  readonly bulk: number
  /** Entries a second; undefined: as fast as it goes. */
  readonly perSecond: number | undefined
  /** How many accounts there are of each kind. */
  readonly accounts: number
  /** All entries debit one account. */
  readonly isHot: boolean
  readonly hasFloor: boolean
}

export const CURRENCY = 'EUR'
export const BANK = 'bank:bench'
/** Minor units that the hot account with a floor has to begin with. */
export const FUNDED = 1e15

export type LedgerTransfer = { readonly debit: string; readonly credit: string; readonly amount: number }

export function spreadAccount(hasFloor: boolean, n: number): string {
  return `${hasFloor ? 'wallet' : 'customer'}:c${n}`
}

export function hotAccount(hasFloor: boolean): string {
  return `merchant_share:${hasFloor ? 'limited' : 'free'}`
}

export function entryId(run: string, n: number): string {
  return `${run}${n}`
}

/** The n-th entry. Accounts are far apart for neighbours: a prime step visits all of them before it comes back. */
export function transferOf({ accounts, isHot, hasFloor }: LedgerLoad, n: number): LedgerTransfer {
  const place = (n * STEP) % accounts
  const amount = 1 + (n % 997)
  const other = spreadAccount(hasFloor && !isHot, (place + 1 + (n % (accounts - 1))) % accounts)
  const debit = isHot ? hotAccount(hasFloor) : spreadAccount(hasFloor, place)
  return { debit, credit: other, amount }
}

const STEP = 7_368_787

/** What the load adds to each account: debits above zero, minor units. */
export function movesOf(load: LedgerLoad): Map<string, bigint> {
  const moves = new Map<string, number>()
  for (let n = 0; n < load.entries; n++) {
    const { debit, credit, amount } = transferOf(load, n)
    moves.set(debit, (moves.get(debit) ?? 0) + amount)
    moves.set(credit, (moves.get(credit) ?? 0) - amount)
  }
  return new Map([...moves].map(([account, amount]) => [account, BigInt(amount)]))
}
