import { type Account, type Guard, unopenedAccount } from './account.ts'
import type { HoldState, Transfer } from './command.ts'
import type { Posting } from './entry.ts'
import type { NewEntry } from './new-entry.ts'
import type { Schedule } from './schedule.ts'

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
  readonly accounts: ReadonlyMap<string, Account>
  readonly guards: ReadonlyMap<string, Guard>
  readonly holds: ReadonlyMap<string, Hold>
  /** By source, both. */
  readonly booked: ReadonlyMap<string, Booked>
  readonly schedules: ReadonlyMap<string, Schedule>
}

/** Made when it is first written to: most drafts are of one entry, and would be made of empty maps. */
type Changed = {
  guards?: Map<string, Guard>
  holds?: Map<string, Hold>
  booked?: Map<string, Booked>
  schedules?: Map<string, Schedule>
}

/** What was decided on a book. */
export type Changes = {
  readonly entries: readonly NewEntry[]
  readonly guards: readonly Guard[]
  readonly holds: readonly Hold[]
  readonly schedules: readonly Schedule[]
}

/**
 * What commands are decided on: what was read under lock, and over it what has been decided. A draft keeps its changes apart
 * until they are taken over, so that a command, and linked commands, are done whole or not at all.
 */
export class Book {
  /** Effective times up to and with this one are closed, in Unix milliseconds. */
  readonly closedThrough: number
  readonly #read: State
  readonly #changed: Changed = {}
  readonly #entries: NewEntry[] = []
  readonly #below: Book | undefined

  constructor(about: { readonly closedThrough: number } & Partial<State>, below?: Book) {
    this.closedThrough = about.closedThrough
    this.#read = below ? NOTHING : { ...NOTHING, ...about }
    this.#below = below
  }

  draft(): Book {
    return new Book({ closedThrough: this.closedThrough }, this)
  }

  /** Makes the changes of a draft its own. */
  take(draft: Book): void {
    const { entries, guards, holds, schedules } = draft.changes()
    for (const guard of guards) this.setGuard(guard)
    for (const hold of holds) this.setHold(hold)
    for (const schedule of schedules) this.setSchedule(schedule)
    for (const entry of entries) this.post(entry)
  }

  changes(): Changes {
    const { guards, holds, schedules } = this.#changed
    return {
      entries: this.#entries,
      guards: [...(guards?.values() ?? [])],
      holds: [...(holds?.values() ?? [])],
      schedules: [...(schedules?.values() ?? [])],
    }
  }

  account(name: string): Account | undefined {
    return this.#read.accounts.get(name) ?? (this.#below ? this.#below.account(name) : unopenedAccount(name))
  }

  /** Of an account that is guarded; one that has never held the currency has nothing in it. */
  guard(account: string, currency: string): Guard {
    const name = guardName(account, currency)
    const found =
      this.#changed.guards?.get(name) ?? this.#read.guards.get(name) ?? this.#below?.guard(account, currency)
    return found ?? { account, currency, posted: 0n, heldDebit: 0n, heldCredit: 0n }
  }

  hold(id: string): Hold | undefined {
    return this.#changed.holds?.get(id) ?? this.#read.holds.get(id) ?? this.#below?.hold(id)
  }

  booked(source: string): Booked | undefined {
    return this.#changed.booked?.get(source) ?? this.#read.booked.get(source) ?? this.#below?.booked(source)
  }

  schedule(source: string): Schedule | undefined {
    return this.#changed.schedules?.get(source) ?? this.#read.schedules.get(source) ?? this.#below?.schedule(source)
  }

  setGuard(guard: Guard): void {
    this.#changed.guards ??= new Map()
    this.#changed.guards.set(guardName(guard.account, guard.currency), guard)
  }

  setHold(hold: Hold): void {
    this.#changed.holds ??= new Map()
    this.#changed.holds.set(hold.id, hold)
  }

  setSchedule(schedule: Schedule): void {
    this.#changed.schedules ??= new Map()
    this.#changed.schedules.set(schedule.source, schedule)
  }

  post(entry: NewEntry): void {
    this.#entries.push(entry)
    const { source, fingerprint, postings, reverses } = entry
    this.#changed.booked ??= new Map()
    this.#changed.booked.set(source, { source, entry: entry.entry, fingerprint, postings, reversedBy: undefined })
    const reversed = reverses === undefined ? undefined : this.booked(reverses)
    if (reversed) this.#changed.booked.set(reversed.source, { ...reversed, reversedBy: source })
  }
}

const NOTHING: State = {
  accounts: new Map(),
  guards: new Map(),
  holds: new Map(),
  booked: new Map(),
  schedules: new Map(),
}

export function guardName(account: string, currency: string): string {
  return `${account}\n${currency}`
}
