import { type Account, availableOf, type Books, type Change, expectedOf, type Hold, type Leg } from './books.ts'
import type { Command, Condition, EntryBody, HoldBody, Transfer } from './call.ts'
import { convertedLegs } from './convert.ts'
import { changeAccount, closePeriod, reopenPeriod } from './decide-administration.ts'
import { Refused } from './refused.ts'

/** What the model says becomes of a command, and what it changes. */
export type Verdict = {
  readonly code: string
  readonly members: Readonly<Record<string, string>>
  readonly isRepeated: boolean
  readonly changes: readonly Change[]
  /** Of the entry that is booked; undefined where none is. */
  readonly legs: readonly Leg[] | undefined
}

type Done = Pick<Verdict, 'changes' | 'legs'> & { readonly isRepeated?: boolean }
const REPEATED: Done = { isRepeated: true, changes: [], legs: undefined }

/**
 * Decides a command on the books without changing them, by what docs/ledger.md promises. `takenAt` is the platform's time
 * in Unix milliseconds, for what says none of its own; where it is not known, later than all that is closed.
 */
export function decide(books: Books, command: Command, takenAt: number = Number.POSITIVE_INFINITY): Verdict {
  try {
    const done = decideOn(books, command, takenAt)
    return { code: 'done', members: {}, isRepeated: done.isRepeated ?? false, changes: done.changes, legs: done.legs }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { code: error.code, members: error.members, isRepeated: false, changes: [], legs: undefined }
  }
}

function decideOn(books: Books, command: Command, takenAt: number): Done {
  switch (command.kind) {
    case 'entry':
      return command.body.reverses === undefined
        ? enter(books, command, () => wantedLegs(books, command.body), takenAt)
        : reverse(books, command, command.body.reverses, takenAt)
    case 'conversion':
      return enter(books, command, () => convertedLegs(command.body), takenAt)
    case 'hold':
      return hold(books, command)
    case 'hold_post':
      return postHold(books, command, takenAt)
    case 'hold_void':
      return voidHold(books, command)
    case 'account_change':
      return changeAccount(books, command)
    case 'period_close':
      return closePeriod(books, command)
    case 'period_reopen':
      return reopenPeriod(books, command)
    case 'look':
      return { changes: [], legs: undefined }
  }
}

/** All that was asked for: the same id with other words is a mistake. */
function textOf(command: Command): string {
  return JSON.stringify(command)
}

type Entering = Extract<Command, { kind: 'entry' | 'conversion' }>

function enter(books: Books, command: Entering, wanted: () => readonly Leg[], takenAt: number): Done {
  const { id } = command.body
  const before = books.entry(id)
  if (before && before.body !== textOf(command)) throw new Refused('id_reused', { id })
  if (before) return REPEATED
  checkPeriod(books, command.body.effective_at, takenAt)
  if (command.kind === 'entry') for (const one of command.body.conditions ?? []) checkCondition(books, one)
  const legs = wanted()
  checkBalanced(legs)
  checkLimits(books, legs)
  return booked(command, id, legs)
}

function wantedLegs(books: Books, { postings = [], transfers = [] }: EntryBody): Leg[] {
  return [
    ...postings.map(({ account, amount, currency }) => ({ account, currency, amount: BigInt(amount) })),
    ...transfers.flatMap((transfer) => legsOf(transfer, movedBy(books, transfer))),
  ]
}

function reverse(books: Books, command: Extract<Command, { kind: 'entry' }>, source: string, takenAt: number): Done {
  const { id, effective_at } = command.body
  const before = books.entry(id)
  if (before && before.body !== textOf(command)) throw new Refused('id_reused', { id })
  if (before) return REPEATED
  const undone = books.entry(source.replace(/^entry\//, ''))
  if (!undone) throw new Refused('entry_not_found', { id: source })
  if (undone.reversedBy !== undefined) throw new Refused('entry_reversed', { id: source })
  checkPeriod(books, effective_at, takenAt)
  const legs = undone.legs.map((leg) => ({ ...leg, amount: -leg.amount }))
  checkLimits(books, legs)
  const done = booked(command, id, legs)
  return { ...done, changes: [...done.changes, { of: 'entry', value: { ...undone, reversedBy: id } }] }
}

function hold(books: Books, command: Extract<Command, { kind: 'hold' }>): Done {
  const { id, expires_at } = command.body
  const before = books.hold(id)
  if (before && before.body !== textOf(command)) throw new Refused('id_reused', { id })
  if (before) return REPEATED
  for (const condition of command.body.conditions ?? []) checkCondition(books, condition)
  const legs = legsOf(command.body, movedBy(books, command.body))
  checkLimits(books, legs)
  const expiresAt = expires_at === undefined ? undefined : Date.parse(expires_at)
  const value = { ...placed(command.body, legs), body: textOf(command), expiresAt }
  return { changes: [...heldBy(legs, 1n), { of: 'hold', value }], legs: undefined }
}

function placed({ id, debit, credit, currency }: HoldBody, [leg]: readonly Leg[]) {
  return { id, debit, credit, currency, amount: leg?.amount ?? 0n, state: 'held', ending: undefined } as const
}

function postHold(books: Books, command: Extract<Command, { kind: 'hold_post' }>, takenAt: number): Done {
  const { id, amount, effective_at } = command.body
  const found = endable(books, command)
  if (!found) return REPEATED
  if (books.entry(id)) throw new Refused('id_reused', { id })
  const moved = amount === undefined ? found.amount : BigInt(amount)
  if (moved > found.amount) throw new Refused('hold_exceeded', { id: found.id, available: found.amount, needed: moved })
  checkPeriod(books, effective_at, takenAt)
  const legs = legsOf(found, moved)
  for (const { account, currency } of legs) open(books, account, currency)
  const done = booked(command, id, legs)
  return { ...done, changes: [...ended(command, found, 'posted'), ...done.changes] }
}

function voidHold(books: Books, command: Extract<Command, { kind: 'hold_void' }>): Done {
  const found = endable(books, command)
  return found ? { changes: ended(command, found, 'voided'), legs: undefined } : REPEATED
}

/** The hold that is to end; undefined where the same command has ended it before. */
function endable(books: Books, command: Extract<Command, { kind: 'hold_post' | 'hold_void' }>): Hold | undefined {
  const found = books.hold(command.hold)
  if (!found) throw new Refused('hold_not_found', { id: command.hold })
  if (!found.ending && found.state === 'held') return found
  const { id } = command.body
  if (found.ending?.id !== id) throw new Refused('hold_ended', { id: found.id, state: found.state })
  if (found.ending.body !== textOf(command)) throw new Refused('id_reused', { id })
  return undefined
}

function ended(command: Extract<Command, { kind: 'hold_post' | 'hold_void' }>, found: Hold, state: Hold['state']) {
  const ending = { id: command.body.id, body: textOf(command) }
  return released({ ...found, state, ending })
}

/** What the end of a hold changes: what it held is free, whatever is booked of it. */
export function released(value: Hold): Change[] {
  return [...heldBy(legsOf(value, value.amount), -1n), { of: 'hold', value }]
}

function booked(command: Command, id: string, legs: readonly Leg[]): Done {
  const amounts = legs.map(({ account, currency, amount }): Change => {
    return { of: 'amounts', account, currency, by: { posted: amount, heldDebit: 0n, heldCredit: 0n } }
  })
  const value = { id, body: textOf(command), legs, reversedBy: undefined }
  return { changes: [...amounts, { of: 'entry', value }], legs }
}

function heldBy(legs: readonly Leg[], sign: 1n | -1n): Change[] {
  return legs.map(({ account, currency, amount }): Change => {
    const by = {
      posted: 0n,
      heldDebit: amount > 0n ? sign * amount : 0n,
      heldCredit: amount < 0n ? sign * -amount : 0n,
    }
    return { of: 'amounts', account, currency, by }
  })
}

function legsOf({ debit, credit, currency }: Pick<Transfer, 'debit' | 'credit' | 'currency'>, amount: bigint): Leg[] {
  return [
    { account: debit, currency, amount },
    { account: credit, currency, amount: -amount },
  ]
}

function movedBy(books: Books, { debit, credit, currency, amount, sweep = false }: Transfer): bigint {
  const wanted = BigInt(amount)
  if (!sweep) return wanted
  const sides = legsOf({ debit, credit, currency }, wanted).map((leg) => {
    const account = open(books, leg.account, currency)
    return { ...leg, of: account, room: roomFor(books, account, leg) }
  })
  const least = sides.reduce((sum, { room = wanted }) => (room < sum ? room : sum), wanted)
  const full = sides.find(({ room }) => room === 0n)
  if (least > 0n || !full) return least
  throw new Refused(limitCode(full.of, full.amount), { account: full.account, currency, available: 0n, needed: 1n })
}

/** How much of the leg's kind the account still takes; undefined: as much as one likes. */
function roomFor(books: Books, account: Account, leg: Leg): bigint | undefined {
  if (!account.isGuarded) return undefined
  const amounts = books.amounts(account.name, leg.currency)
  const room = isInto(account, leg.amount)
    ? account.ceiling !== undefined && account.ceiling - expectedOf(account, amounts)
    : account.floor !== undefined && availableOf(account, amounts) - account.floor
  if (room === false) return undefined
  return room > 0n ? room : 0n
}

function isInto({ growsBy }: Account, amount: bigint): boolean {
  return growsBy === 'debit' ? amount > 0n : amount < 0n
}

function limitCode(account: Account, amount: bigint): string {
  return isInto(account, amount) ? 'ceiling_exceeded' : 'insufficient_funds'
}

function checkLimits(books: Books, legs: readonly Leg[]): void {
  for (const { account, currency } of legs) open(books, account, currency)
  const names = new Set(legs.map(({ account, currency }) => `${account} ${currency}`))
  for (const name of names) {
    const of = legs.filter(({ account, currency }) => `${account} ${currency}` === name)
    const [first] = of
    const amount = of.reduce((sum, leg) => sum + leg.amount, 0n)
    if (!first || amount === 0n) continue
    const account = open(books, first.account, first.currency)
    const needed = amount > 0n ? amount : -amount
    const available = roomFor(books, account, { ...first, amount })
    if (available === undefined || available >= needed) continue
    throw new Refused(limitCode(account, amount), {
      account: first.account,
      currency: first.currency,
      available,
      needed,
    })
  }
}

function open(books: Books, name: string, currency: string): Account {
  const account = books.accounts.get(name)
  if (!account) throw new Refused('account_unknown', { account: name })
  if (account.isClosed) throw new Refused('account_closed', { account: name })
  if (account.currency === undefined || account.currency === currency) return account
  throw new Refused('currency_mismatch', { account: name, currency, expected: account.currency })
}

function checkCondition(books: Books, { account: name, currency, at_least, at_most }: Condition): void {
  const account = open(books, name, currency)
  if (!account.isGuarded) throw new Refused('account_not_guarded', { account: name })
  const available = availableOf(account, books.amounts(name, currency))
  const isLess = at_least !== undefined && available < BigInt(at_least)
  const isMore = at_most !== undefined && available > BigInt(at_most)
  if (isLess || isMore) throw new Refused('condition_failed', { account: name, currency, available })
}

function checkBalanced(legs: readonly Leg[]): void {
  for (const currency of new Set(legs.map((leg) => leg.currency))) {
    const of = legs.filter((leg) => leg.currency === currency)
    const difference = of.reduce((sum, { amount }) => sum + amount, 0n)
    if (difference !== 0n) throw new Refused('unbalanced', { currency, difference })
  }
}

function checkPeriod({ closedThrough }: Books, effectiveAt: string | undefined, takenAt: number): void {
  const at = effectiveAt === undefined ? takenAt : Date.parse(effectiveAt)
  if (closedThrough === undefined || at > closedThrough) return
  throw new Refused('period_closed', { closed_through: new Date(closedThrough).toISOString() })
}
