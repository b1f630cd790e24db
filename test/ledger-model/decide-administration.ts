import { type Account, availableOf, type Books, type Change, expectedOf } from './books.ts'
import type { AccountPatch, Command } from './call.ts'
import { Refused } from './refused.ts'

type Done = { readonly changes: readonly Change[]; readonly legs: undefined }

/** Limits of an account, and whether it is closed. A limit that it is past already is refused. */
export function changeAccount(
  books: Books,
  { account: name, body }: Extract<Command, { kind: 'account_change' }>,
): Done {
  const before = books.accounts.get(name)
  if (!before) throw new Refused('account_not_found', { field: 'id' })
  const value = patched(before, body)
  const { floor, ceiling } = value
  if (!value.isGuarded && (floor !== undefined || ceiling !== undefined)) throw limitInvalid('guarded')
  if (floor !== undefined && ceiling !== undefined && floor > ceiling) throw limitInvalid('floor')
  for (const currency of books.currenciesOf(name)) {
    const amounts = books.amounts(name, currency)
    if (floor !== undefined && availableOf(value, amounts) < floor) throw limitInvalid('floor')
    if (ceiling !== undefined && expectedOf(value, amounts) > ceiling) throw limitInvalid('ceiling')
  }
  return { changes: [{ of: 'account', value }], legs: undefined }
}

function patched(before: Account, { floor, ceiling, guarded, closed }: AccountPatch): Account {
  const limits = { floor: limitOf(floor, before.floor), ceiling: limitOf(ceiling, before.ceiling) }
  const isLimited = limits.floor !== undefined || limits.ceiling !== undefined
  return {
    ...before,
    ...limits,
    isGuarded: guarded ?? (before.isGuarded || isLimited),
    isClosed: closed ?? before.isClosed,
  }
}

function limitOf(asked: number | null | undefined, before: bigint | undefined): bigint | undefined {
  if (asked === undefined) return before
  return asked === null ? undefined : BigInt(asked)
}

function limitInvalid(field: string): Refused {
  return new Refused('limit_invalid', { field })
}

export function closePeriod(books: Books, { body }: Extract<Command, { kind: 'period_close' }>): Done {
  const through = Date.parse(body.through)
  if (books.closedThrough !== undefined && through < books.closedThrough) throw periodInvalid()
  return { changes: [{ of: 'period', through }], legs: undefined }
}

export function reopenPeriod(books: Books, { body }: Extract<Command, { kind: 'period_reopen' }>): Done {
  const through = body.through === undefined ? undefined : Date.parse(body.through)
  const { closedThrough } = books
  if (closedThrough === undefined || (through !== undefined && through >= closedThrough)) throw periodInvalid()
  return { changes: [{ of: 'period', through }], legs: undefined }
}

function periodInvalid(): Refused {
  return new Refused('period_invalid', { field: 'through' })
}
