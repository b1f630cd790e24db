import {
  type Account,
  availableOf,
  type Guard,
  isNothing,
  roomOf,
  withHeld,
  withoutHeld,
  withPosted,
} from './account.ts'
import { type Book, guardName, type Hold } from './book.ts'
import { checkBalanced } from './check-balanced.ts'
import type {
  Command,
  Condition,
  Outcome,
  PlaceHold,
  PostEntry,
  PostHold,
  ReverseEntry,
  Transfer,
  VoidHold,
} from './command.ts'
import type { Conversion } from './conversion.ts'
import { cancelSchedule, placeSchedule } from './decide-schedule.ts'
import type { Posting } from './entry.ts'
import { entrySource } from './entry-source.ts'
import { Refused } from './refused.ts'
import type { TemplateRef } from './template.ts'

/** Names an entry: a pure function of whose it is and of its source. */
export type NameEntry = (source: string) => string

/**
 * Decides one command on the book, and changes the book by it. A refusal changes nothing. Pure: what it needs to know is
 * in the book, and time is in the command.
 */
export function decide(book: Book, command: Command, nameEntry: NameEntry): Outcome {
  const draft = book.draft()
  try {
    const outcome = decideOn(draft, command, nameEntry)
    book.take(draft)
    return outcome
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { status: 'refused', refusal: error.refusal }
  }
}

/** Linked commands: all are done, or none; a later one sees what an earlier one did. */
export function decideLinked(book: Book, commands: readonly Command[], nameEntry: NameEntry): Outcome[] {
  const draft = book.draft()
  const outcomes = commands.map((command) => decide(draft, command, nameEntry))
  const at = outcomes.findIndex(({ status }) => status === 'refused')
  if (at === -1) {
    book.take(draft)
    return outcomes
  }
  const linked = { code: 'linked_refused', id: commands[at]?.id ?? '' } as const
  return outcomes.map((outcome) => (outcome.status === 'refused' ? outcome : { status: 'refused', refusal: linked }))
}

function decideOn(book: Book, command: Command, nameEntry: NameEntry): Outcome {
  switch (command.kind) {
    case 'entry':
      return postEntry(book, command, nameEntry)
    case 'reversal':
      return reverse(book, command, nameEntry)
    case 'hold':
      return placeHold(book, command)
    case 'hold_post':
      return postHold(book, command, nameEntry)
    case 'hold_void':
      return voidHold(book, command)
    case 'schedule':
      return placeSchedule(book, command)
    case 'schedule_cancel':
      return cancelSchedule(book, command)
  }
}

function postEntry(book: Book, command: PostEntry, nameEntry: NameEntry): Outcome {
  const { id, fingerprint, purpose, effectiveAt, conditions, conversion, template } = command
  const before = bookedBefore(book, command)
  if (before) return before
  checkPeriod(book, effectiveAt)
  for (const condition of conditions) checkCondition(book, condition)
  const postings = [
    ...command.postings,
    ...command.transfers.flatMap((transfer) => legsOf(transfer, amountOf(book, transfer))),
  ]
  checkBalanced(postings)
  checkLimits(book, postings)
  const madeOf = { ...(conversion ? { conversion } : {}), ...(template ? { template } : {}) }
  const entry = write(book, { id, fingerprint, purpose, effectiveAt, postings, ...madeOf }, nameEntry)
  return { status: 'done', id, entry, isRepeated: false }
}

function reverse(book: Book, { id, fingerprint, entry, effectiveAt }: ReverseEntry, nameEntry: NameEntry): Outcome {
  const before = bookedBefore(book, { id, fingerprint })
  if (before) return before
  const reversed = book.booked(entry)
  if (!reversed) throw new Refused({ code: 'entry_unknown', id: entry })
  if (reversed.reversedBy !== undefined) throw new Refused({ code: 'entry_reversed', id: entry })
  checkPeriod(book, effectiveAt)
  const postings = reversed.postings.map((posting) => ({ ...posting, amount: -posting.amount }))
  const about = { id, fingerprint, purpose: 'reversal', effectiveAt, postings, reverses: entry }
  checkLimits(book, postings)
  return { status: 'done', id, entry: write(book, about, nameEntry), isRepeated: false }
}

function placeHold(book: Book, command: PlaceHold): Outcome {
  const { id, fingerprint, purpose, conditions, expiresAt } = command
  const before = book.hold(id)
  if (before && before.fingerprint !== fingerprint) throw new Refused({ code: 'id_reused', id })
  if (before) return { status: 'done', id, entry: undefined, isRepeated: true }
  for (const condition of conditions) checkCondition(book, condition)
  const { isSweep: _, ...transfer } = { ...command.transfer, amount: amountOf(book, command.transfer) }
  const legs = legsOf(transfer, transfer.amount)
  checkLimits(book, legs)
  change(book, legs, withHeld)
  book.setHold({ id, purpose, transfer, state: 'held', expiresAt, fingerprint, ending: undefined })
  return { status: 'done', id, entry: undefined, isRepeated: false }
}

function postHold(book: Book, command: PostHold, nameEntry: NameEntry): Outcome {
  const { id, fingerprint, effectiveAt } = command
  const hold = book.hold(command.hold)
  if (!hold) throw new Refused({ code: 'hold_unknown', id: command.hold })
  const before = endedBefore(hold, command, book.booked(entrySource(id))?.entry) ?? bookedBefore(book, command)
  if (before) return before
  const amount = command.amount ?? hold.transfer.amount
  if (amount > hold.transfer.amount) {
    throw new Refused({ code: 'hold_exceeded', id: hold.id, available: hold.transfer.amount, needed: amount })
  }
  checkPeriod(book, effectiveAt)
  change(book, legsOf(hold.transfer, hold.transfer.amount), withoutHeld)
  const postings = legsOf(hold.transfer, amount)
  // Its limits were checked when it was placed: what has been held since can be posted, whatever the limits are now.
  for (const { account, currency } of postings) openAccount(book, account, currency)
  const about = { id, fingerprint, purpose: hold.purpose, effectiveAt, hold: hold.id, postings }
  const entry = write(book, about, nameEntry)
  book.setHold({ ...hold, state: 'posted', ending: { id, fingerprint } })
  return { status: 'done', id, entry, isRepeated: false }
}

function voidHold(book: Book, command: VoidHold): Outcome {
  const { id, fingerprint, isExpiry } = command
  const hold = book.hold(command.hold)
  if (!hold) throw new Refused({ code: 'hold_unknown', id: command.hold })
  const before = endedBefore(hold, command, undefined)
  if (before) return before
  change(book, legsOf(hold.transfer, hold.transfer.amount), withoutHeld)
  book.setHold({ ...hold, state: isExpiry ? 'expired' : 'voided', ending: { id, fingerprint } })
  return { status: 'done', id, entry: undefined, isRepeated: false }
}

function bookedBefore(book: Book, { id, fingerprint }: Pick<Command, 'id' | 'fingerprint'>): Outcome | undefined {
  const source = entrySource(id)
  const booked = book.booked(source)
  const used = booked ?? book.schedule(source)
  if (used && used.fingerprint !== fingerprint) throw new Refused({ code: 'id_reused', id })
  return booked && { status: 'done', id, entry: booked.entry, isRepeated: true }
}

function endedBefore(hold: Hold, command: PostHold | VoidHold, entry: string | undefined): Outcome | undefined {
  const { id, fingerprint } = command
  if (hold.ending === undefined) return undefined
  if (hold.ending.id !== id) throw new Refused({ code: 'hold_ended', id: hold.id, state: hold.state })
  if (hold.ending.fingerprint !== fingerprint) throw new Refused({ code: 'id_reused', id })
  return { status: 'done', id, entry, isRepeated: true }
}

type Writing = {
  id: string
  fingerprint: string
  purpose: string
  effectiveAt: number
  postings: readonly Posting[]
  reverses?: string
  hold?: string
  conversion?: Conversion
  template?: TemplateRef
}

function write(book: Book, { reverses, hold, conversion, template, ...about }: Writing, nameEntry: NameEntry): string {
  change(book, about.postings, withPosted)
  const source = entrySource(about.id)
  const entry = nameEntry(source)
  const { id: _, ...rest } = about
  book.post({ ...rest, entry, source, reverses, hold, conversion, template })
  return entry
}

function legsOf(
  { debit, credit, currency }: Pick<Transfer, 'debit' | 'credit' | 'currency'>,
  amount: bigint,
): Posting[] {
  return [
    { account: debit, amount, currency },
    { account: credit, amount: -amount, currency },
  ]
}

/** What a sweep moves: as far as the limits of both accounts, and what has to be left, let it. */
function amountOf(book: Book, { debit, credit, amount, currency, isSweep = false, leaves }: Transfer): bigint {
  const above = leaves === undefined ? undefined : availableAbove(book, debit, currency, leaves)
  if (!isSweep && above !== undefined && above < amount) {
    throw limitRefusal(openAccount(book, debit, currency), currency, amount, { available: above, needed: amount })
  }
  if (!isSweep) return amount
  const rooms = [least(room(book, debit, currency, amount), above), room(book, credit, currency, -amount)]
  const moved = rooms.reduce<bigint>((sum, one) => (one !== undefined && one < sum ? one : sum), amount)
  if (moved > 0n) return moved
  const isOfDebit = rooms[0] === 0n
  const account = isOfDebit ? debit : credit
  throw limitRefusal(openAccount(book, account, currency), currency, isOfDebit ? amount : -amount, {
    available: 0n,
    needed: 1n,
  })
}

function least(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return one < other ? one : other
}

/** What of an account is available beyond what has to be left in it. */
function availableAbove(book: Book, name: string, currency: string, leaves: bigint): bigint {
  const account = openAccount(book, name, currency)
  if (!account.isGuarded) throw new Refused({ code: 'account_not_guarded', account: name })
  const above = availableOf(account, book.guard(name, currency)) - leaves
  return above > 0n ? above : 0n
}

function room(book: Book, name: string, currency: string, change: bigint): bigint | undefined {
  const account = openAccount(book, name, currency)
  return account.isGuarded ? roomOf(account, book.guard(name, currency), directionOf(account, change)) : undefined
}

/** Debits are positive: on an account that grows by them, they come in. */
function directionOf({ normalSide }: Account, change: bigint): 'in' | 'out' {
  return change > 0n === (normalSide === 'debit') ? 'in' : 'out'
}

function limitRefusal(
  account: Account,
  currency: string,
  change: bigint,
  about: { available: bigint; needed: bigint },
): Refused {
  const code = directionOf(account, change) === 'out' ? 'insufficient_funds' : 'ceiling_exceeded'
  return new Refused({ code, account: account.account, currency, ...about })
}

/** The postings of an entry on one account count together. Every account must be open, also one that has no limits. */
function checkLimits(book: Book, postings: readonly Posting[]): void {
  const guarded = postings.filter(({ account, currency }) => openAccount(book, account, currency).isGuarded)
  for (const { account: name, currency, amount } of netted(guarded)) {
    if (amount === 0n) continue
    const account = openAccount(book, name, currency)
    const needed = amount > 0n ? amount : -amount
    const available = roomOf(account, book.guard(name, currency), directionOf(account, amount))
    if (available !== undefined && available < needed)
      throw limitRefusal(account, currency, amount, { available, needed })
  }
}

function change(book: Book, postings: readonly Posting[], by: (guard: Guard, amount: bigint) => Guard): void {
  for (const { account, currency, amount } of postings) {
    if (book.account(account)?.isGuarded) book.setGuard(by(book.guard(account, currency), amount))
  }
}

/** One line for each account and currency. */
function netted(postings: readonly Posting[]): Posting[] {
  const sums = new Map<string, Posting>()
  for (const posting of postings) {
    const name = guardName(posting.account, posting.currency)
    const sum = sums.get(name)
    sums.set(name, sum ? { ...sum, amount: sum.amount + posting.amount } : posting)
  }
  return [...sums.values()]
}

function openAccount(book: Book, name: string, currency: string): Account {
  const account = book.account(name)
  if (!account) throw new Refused({ code: 'account_unknown', account: name })
  if (account.isClosed) throw new Refused({ code: 'account_closed', account: name })
  const expected = account.currency
  if (expected !== undefined && expected !== currency) {
    throw new Refused({ code: 'currency_mismatch', account: name, currency, expected })
  }
  return account
}

function checkPeriod({ closedThrough }: Book, effectiveAt: number): void {
  if (effectiveAt <= closedThrough) throw new Refused({ code: 'period_closed', closedThrough })
}

function checkCondition(book: Book, { account: name, currency, atLeast, atMost }: Condition): void {
  const account = openAccount(book, name, currency)
  if (!account.isGuarded) throw new Refused({ code: 'account_not_guarded', account: name })
  const guard = book.guard(name, currency)
  const available = availableOf(account, guard)
  if ((atLeast !== undefined && available < atLeast) || (atMost !== undefined && available > atMost)) {
    throw new Refused({ code: 'condition_failed', account: name, currency, available })
  }
  // What has never held anything has no row to lock: written, it collides with whoever is the first to book on it.
  if (isNothing(guard)) book.setGuard(guard)
}
