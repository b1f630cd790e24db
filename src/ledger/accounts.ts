export type AccountKind = {
  readonly type: 'asset' | 'liability' | 'equity' | 'income' | 'expense'
  /** The side on which the account grows. */
  readonly normalSide: 'debit' | 'credit'
}

const kinds: readonly (readonly [name: RegExp, kind: AccountKind])[] = [
  [/^gateway:[^:]+:(?:receivable|disputed)$/, { type: 'asset', normalSide: 'debit' }],
  [/^gateway:[^:]+:fees$/, { type: 'expense', normalSide: 'debit' }],
  [/^bank:[^:]+$/, { type: 'asset', normalSide: 'debit' }],
  [/^merchant:[^:]+:payable$/, { type: 'liability', normalSide: 'credit' }],
  [/^platform:[^:]+:revenue$/, { type: 'income', normalSide: 'credit' }],
  [/^platform:[^:]+:payable$/, { type: 'liability', normalSide: 'credit' }],
  [/^fx:position:[A-Z]{3}$/, { type: 'equity', normalSide: 'credit' }],
  [/^fx:valuation:[A-Z]{3}$/, { type: 'equity', normalSide: 'debit' }],
  [/^fx:(?:realised|unrealised)$/, { type: 'income', normalSide: 'credit' }],
]

/** What an account is, by its name alone; nothing for a name that is none of ours. */
export function accountKind(name: string): AccountKind | undefined {
  return kinds.find(([pattern]) => pattern.test(name))?.[1]
}

/** What we are long in a currency: it grows by what comes in, and is below zero where we owe more than we have. */
export function positionAccount(currency: string): string {
  return `fx:position:${currency}`
}

/** In the base currency: what the position in a currency is worth beyond what it moved in the base. */
export function valuationAccount(currency: string): string {
  return `fx:valuation:${currency}`
}

export const REALISED = 'fx:realised'
export const UNREALISED = 'fx:unrealised'

/** Moved by conversions and revaluations alone, which know what they are worth; they are there without being opened. */
export function isOfCurrencies(name: string): boolean {
  return name.startsWith('fx:') && accountKind(name) !== undefined
}
