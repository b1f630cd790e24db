import { type Account, type Guard, unopenedAccount } from './account.ts'
import type { HoldState, Transfer } from './command.ts'
import type { Posting } from './entry.ts'
import type { NewEntry } from './new-entry.ts'

export type Hold = {
  readonly id: string
  readonly purpose: string
  readonly transfer: Omit<Transfer, 'isSweep'>
  readonly state: HoldState
  /** Unix milliseconds. */
  readonly expiresAt: number | undefined
  readonly fingerprint: string
  /** Id and digest of the command that posted or voided it. */
  readonly ending: { readonly id: string; readonly fingerprint: string } | undefined
}

/** An entry that is there: under a command's id, or to be reversed. */
export type Booked = {
  readonly source: string
  readonly entry: string
  /** Undefined for what payments have booked. */
  readonly fingerprint: string | undefined
  readonly postings: readonly Posting[]
  /** Source of the entry that undid it. */
  readonly reversedBy: string | undefined
}

type State = {
  readonly accounts: Map<string, Account>
  readonly guards: Map<string, Guard>
  readonly holds: Map<string, Hold>
  /** By source. */
  readonly booked: Map<string, Booked>
}

/**
 * What commands are decided on: what was read under lock, and over it what has been decided. A draft keeps its changes apart
 * until they are taken over, so that a command, and linked commands, are done whole or not at all.
 */
export class Book {
  /** Effective times up to and with this one are closed, in Unix milliseconds. */
  readonly closedThrough: number
  readonly #read: State
  readonly #changed = emptyState()
  readonly #entries: NewEntry[] = []
  readonly #below: Book | undefined

  constructor(about: { readonly closedThrough: number } & Partial<State>, below?: Book) {
    this.closedThrough = about.closedThrough
    this.#read = { ...emptyState(), ...about }
    this.#below = below
  }

  draft(): Book {
    return new Book({ closedThrough: this.closedThrough }, this)
  }

  /** Makes the changes of a draft its own. */
  take(draft: Book): void {
    const { entries, guards, holds } = draft.changes()
    for (const guard of guards) this.setGuard(guard)
    for (const hold of holds) this.setHold(hold)
    for (const entry of entries) this.post(entry)
  }

  changes(): { entries: readonly NewEntry[]; guards: readonly Guard[]; holds: readonly Hold[] } {
    const { guards, holds } = this.#changed
    return { entries: this.#entries, guards: [...guards.values()], holds: [...holds.values()] }
  }

  account(name: string): Account | undefined {
    return this.#read.accounts.get(name) ?? (this.#below ? this.#below.account(name) : unopenedAccount(name))
  }

  /** Of an account that is guarded; one that has never held the currency has nothing in it. */
  guard(account: string, currency: string): Guard {
    const name = guardName(account, currency)
    const found = this.#changed.guards.get(name) ?? this.#read.guards.get(name) ?? this.#below?.guard(account, currency)
    return found ?? { account, currency, posted: 0n, heldDebit: 0n, heldCredit: 0n }
  }

  hold(id: string): Hold | undefined {
    return this.#changed.holds.get(id) ?? this.#read.holds.get(id) ?? this.#below?.hold(id)
  }

  booked(source: string): Booked | undefined {
    return this.#changed.booked.get(source) ?? this.#read.booked.get(source) ?? this.#below?.booked(source)
  }

  setGuard(guard: Guard): void {
    this.#changed.guards.set(guardName(guard.account, guard.currency), guard)
  }

  setHold(hold: Hold): void {
    this.#changed.holds.set(hold.id, hold)
  }

  post(entry: NewEntry): void {
    this.#entries.push(entry)
    const { source, fingerprint, postings, reverses } = entry
    this.#changed.booked.set(source, { source, entry: entry.entry, fingerprint, postings, reversedBy: undefined })
    const reversed = reverses === undefined ? undefined : this.booked(reverses)
    if (reversed) this.#changed.booked.set(reversed.source, { ...reversed, reversedBy: source })
  }
}

function emptyState(): State {
  return { accounts: new Map(), guards: new Map(), holds: new Map(), booked: new Map() }
}

export function guardName(account: string, currency: string): string {
  return `${account}\n${currency}`
}
