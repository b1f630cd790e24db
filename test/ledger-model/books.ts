/** Debits above zero; minor units. */
export type Leg = { readonly account: string; readonly currency: string; readonly amount: bigint }

export type Account = {
  readonly name: string
  readonly growsBy: 'debit' | 'credit'
  readonly currency: string | undefined
  readonly floor: bigint | undefined
  readonly ceiling: bigint | undefined
  readonly isGuarded: boolean
  readonly isClosed: boolean
}

/** What an account has in a currency, and what is held to be debited and credited. */
export type Amounts = { readonly posted: bigint; readonly heldDebit: bigint; readonly heldCredit: bigint }

export type HoldState = 'held' | 'posted' | 'voided' | 'expired'
export type Hold = {
  readonly id: string
  readonly debit: string
  readonly credit: string
  readonly currency: string
  readonly amount: bigint
  readonly expiresAt: number | undefined
  readonly state: HoldState
  /** All that was asked for, as text. */
  readonly body: string
  readonly ending: { readonly id: string; readonly body: string } | undefined
}

export type Entry = {
  readonly id: string
  readonly body: string
  readonly legs: readonly Leg[]
  /** Id of the entry that undid it. */
  readonly reversedBy: string | undefined
}

/** What something changes. Amounts are differences, so that changes of different transactions can change places. */
export type Change =
  | { readonly of: 'amounts'; readonly account: string; readonly currency: string; readonly by: Amounts }
  | { readonly of: 'hold'; readonly value: Hold }
  | { readonly of: 'entry'; readonly value: Entry }
  | { readonly of: 'account'; readonly value: Account }
  | { readonly of: 'period'; readonly through: number | undefined }

const NOTHING: Amounts = { posted: 0n, heldDebit: 0n, heldCredit: 0n }

/** The ledger as this model keeps it: maps of bigints, of every account alike, whatever the platform keeps of it. */
export class Books {
  readonly accounts: Map<string, Account>
  readonly #amounts = new Map<string, Amounts>()
  readonly #holds = new Map<string, Hold>()
  readonly #entries = new Map<string, Entry>()
  closedThrough: number | undefined

  constructor(accounts: readonly Account[]) {
    this.accounts = new Map(accounts.map((account) => [account.name, account]))
  }

  amounts(account: string, currency: string): Amounts {
    return this.#amounts.get(`${account} ${currency}`) ?? NOTHING
  }

  hold(id: string): Hold | undefined {
    return this.#holds.get(id)
  }

  entry(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  holds(): Iterable<Hold> {
    return this.#holds.values()
  }

  /** Currencies in which an account has anything, or has had. */
  currenciesOf(account: string): string[] {
    return [...this.#amounts.keys()].filter((key) => key.startsWith(`${account} `)).map((key) => key.slice(-3))
  }

  /** Returns what undoes it, if nothing else was changed meanwhile. */
  apply(changes: readonly Change[]): () => void {
    const undo = changes.map((change) => this.#change(change))
    return () => {
      for (const back of undo.reverse()) back()
    }
  }

  #change(change: Change): () => void {
    switch (change.of) {
      case 'amounts': {
        const key = `${change.account} ${change.currency}`
        return set(this.#amounts, key, plus(this.#amounts.get(key) ?? NOTHING, change.by))
      }
      case 'hold':
        return set(this.#holds, change.value.id, change.value)
      case 'entry':
        return set(this.#entries, change.value.id, change.value)
      case 'account':
        return set(this.accounts, change.value.name, change.value)
      case 'period': {
        const before = this.closedThrough
        this.closedThrough = change.through
        return () => {
          this.closedThrough = before
        }
      }
    }
  }
}

function set<Value>(map: Map<string, Value>, key: string, value: Value): () => void {
  const before = map.get(key)
  map.set(key, value)
  return () => {
    if (before === undefined) map.delete(key)
    else map.set(key, before)
  }
}

function plus(one: Amounts, other: Amounts): Amounts {
  return {
    posted: one.posted + other.posted,
    heldDebit: one.heldDebit + other.heldDebit,
    heldCredit: one.heldCredit + other.heldCredit,
  }
}

/** On the side on which the account grows, less what is held to leave it. */
export function availableOf({ growsBy }: Account, { posted, heldDebit, heldCredit }: Amounts): bigint {
  return growsBy === 'debit' ? posted - heldCredit : -posted - heldDebit
}

/** With what is held to come in. */
export function expectedOf({ growsBy }: Account, { posted, heldDebit, heldCredit }: Amounts): bigint {
  return growsBy === 'debit' ? posted + heldDebit : -posted + heldCredit
}
