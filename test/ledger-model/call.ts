/** What clients ask for, in the words of the API; amounts in minor units. */
export type Transfer = { debit: string; credit: string; amount: number; currency: string; sweep?: boolean }
export type Condition = { account: string; currency: string; at_least?: number; at_most?: number }
export type Posting = { account: string; amount: number; currency: string }

export type EntryBody = {
  id: string
  purpose?: string
  postings?: Posting[]
  transfers?: Transfer[]
  conditions?: Condition[]
  reverses?: string
  effective_at?: string
}
export type HoldBody = Transfer & { id: string; conditions?: Condition[]; expires_at?: string }
export type ConversionBody = {
  id: string
  debit: string
  credit: string
  currency: string
  to_currency: string
  amount?: number
  to_amount?: number
  /** A decimal: whole units of `to_currency` for one of `currency`. */
  rate: string
  effective_at?: string
}
export type AccountPatch = {
  floor?: number | null
  ceiling?: number | null
  guarded?: boolean
  closed?: boolean
}

export type Command =
  | { kind: 'entry'; body: EntryBody }
  | { kind: 'conversion'; body: ConversionBody }
  | { kind: 'hold'; body: HoldBody }
  | { kind: 'hold_post'; hold: string; body: { id: string; amount?: number; effective_at?: string } }
  | { kind: 'hold_void'; hold: string; body: { id: string } }
  | { kind: 'account_change'; account: string; body: AccountPatch }
  | { kind: 'period_close'; body: { through: string } }
  | { kind: 'period_reopen'; body: { through?: string; reason: string } }
  | { kind: 'look'; account: string }

/** One request: of several commands in bulk. */
export type Asked = {
  readonly commands: readonly Command[]
  /** All or none. */
  readonly isLinked?: boolean
  readonly isBulk?: boolean
  readonly isDryRun?: boolean
}

export type Line = { readonly currency: string; readonly amount: string; readonly held: string }

/** What became of one command, as its caller was told. `members` are what a refusal says beside its code. */
export type Answer =
  | { readonly code: 'done'; readonly entry: string | undefined; readonly isRepeated: boolean; readonly sides?: string }
  | { readonly code: 'looked'; readonly lines: readonly Line[] }
  | { readonly code: string; readonly status?: number; readonly members: Readonly<Record<string, string>> }

/**
 * A request and its answers. `askedAt` and `answeredAt` count everything that was sent or came back in this run: one call came
 * before another if it was answered when the other was asked.
 */
export type Call = {
  readonly number: number
  readonly client: string
  readonly traceId: string
  readonly asked: Asked
  readonly askedAt: number
  readonly answeredAt: number
  readonly answers: readonly Answer[]
}

/** Nobody knows what became of it: it took too long, and may be on the log or not. */
export function isUnknown({ code }: Answer): boolean {
  return code === 'database_unavailable'
}

export function isRefusal(answer: Answer): answer is Extract<Answer, { members: unknown }> {
  return 'members' in answer
}
