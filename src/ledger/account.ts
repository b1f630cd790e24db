import { type AccountKind, accountKind, isOfCurrencies, positionAccount } from './accounts.ts'

/** An account as its owner opened it; what no one opened follows from its name alone and has no limits. */
export type Account = AccountKind & {
  readonly account: string
  /** The one currency it takes; undefined: any, each for itself. */
  readonly currency: string | undefined
  readonly parent: string | undefined
  /** Of the balance on its normal side less what is held, in minor units; in each currency. */
  readonly floor: bigint | undefined
  readonly ceiling: bigint | undefined
  /** Its balance is kept under lock, so that conditions can ask for it: always so with a floor or a ceiling. */
  readonly isGuarded: boolean
  readonly isClosed: boolean
}

/** An account of currencies as it is when nobody opened it, which is only done to limit it; undefined for any other name. */
export function unopenedAccount(name: string): Account | undefined {
  const kind = isOfCurrencies(name) ? accountKind(name) : undefined
  const code = name.slice(-3)
  const currency = name === positionAccount(code) ? code : undefined
  const limits = { floor: undefined, ceiling: undefined, isGuarded: false }
  return kind && { account: name, ...kind, currency, parent: undefined, ...limits, isClosed: false }
}

/**
 * What a guarded account has in one currency, exact at any moment. Debits are positive; what is held is not in `posted`
 * and counts against limits as if it were.
 */
export type Guard = {
  readonly account: string
  readonly currency: string
  readonly posted: bigint
  readonly heldDebit: bigint
  readonly heldCredit: bigint
}

export function isNothing({ posted, heldDebit, heldCredit }: Guard): boolean {
  return posted === 0n && heldDebit === 0n && heldCredit === 0n
}

/** On the account's normal side, in minor units. */
export function balanceOf({ normalSide }: Pick<Account, 'normalSide'>, { posted }: Pick<Guard, 'posted'>): bigint {
  return normalSide === 'debit' ? posted : -posted
}

/** The balance less what is held to leave the account: what can still be spent, down to the floor. */
export function availableOf(account: Pick<Account, 'normalSide'>, guard: Guard): bigint {
  return balanceOf(account, guard) - (account.normalSide === 'debit' ? guard.heldCredit : guard.heldDebit)
}

/** The balance with what is held to come in: what a ceiling is compared with. */
export function expectedOf(account: Pick<Account, 'normalSide'>, guard: Guard): bigint {
  return balanceOf(account, guard) + (account.normalSide === 'debit' ? guard.heldDebit : guard.heldCredit)
}

/** Minor units that may still go out of (below zero) or into (above zero) it; undefined: as many as one likes. */
export function roomOf(account: Account, guard: Guard, direction: 'in' | 'out'): bigint | undefined {
  const limit = direction === 'out' ? account.floor : account.ceiling
  if (limit === undefined) return undefined
  const room = direction === 'out' ? availableOf(account, guard) - limit : limit - expectedOf(account, guard)
  return room > 0n ? room : 0n
}

/** Debits are positive. */
export function withPosted(guard: Guard, amount: bigint): Guard {
  return { ...guard, posted: guard.posted + amount }
}

/** An amount that is set aside for later; debits are positive. */
export function withHeld(guard: Guard, amount: bigint): Guard {
  return amount > 0n
    ? { ...guard, heldDebit: guard.heldDebit + amount }
    : { ...guard, heldCredit: guard.heldCredit - amount }
}

/** Undoes `withHeld` of the same amount. */
export function withoutHeld(guard: Guard, amount: bigint): Guard {
  return amount > 0n
    ? { ...guard, heldDebit: guard.heldDebit - amount }
    : { ...guard, heldCredit: guard.heldCredit + amount }
}
