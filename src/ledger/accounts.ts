export type AccountKind = {
  readonly type: 'asset' | 'liability' | 'expense'
  /** The side on which the account grows. */
  readonly normalSide: 'debit' | 'credit'
}

const kinds: readonly (readonly [name: RegExp, kind: AccountKind])[] = [
  [/^gateway:[^:]+:(?:receivable|disputed)$/, { type: 'asset', normalSide: 'debit' }],
  [/^gateway:[^:]+:fees$/, { type: 'expense', normalSide: 'debit' }],
  [/^bank:[^:]+$/, { type: 'asset', normalSide: 'debit' }],
  [/^merchant:[^:]+:payable$/, { type: 'liability', normalSide: 'credit' }],
]

/** What an account is, by its name alone; nothing for a name that is none of ours. */
export function accountKind(name: string): AccountKind | undefined {
  return kinds.find(([pattern]) => pattern.test(name))?.[1]
}
