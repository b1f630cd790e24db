import type { Database } from '#kernel/database'
import { accountKind } from './accounts.ts'
import type { Whose } from './book-sql.ts'
import { isProvisional } from './provisional.ts'
import { type BalanceAtRow, balancesAt, type LineCursor, sealedThrough, statementLines } from './statement-sql.ts'

export type StatementOf = Whose & { readonly account: string; readonly currency: string }

/** Up to and with the instants, in Unix milliseconds. */
export type StatementRange = {
  readonly from: number
  readonly through: number
  /** Of what was booked by then; undefined: everything. */
  readonly bookedAt: number | undefined
}

/** Where a page begins: what the one before it ended with. Goes through JSON. */
export type StatementPlace = {
  /** In minor units, on the normal side of the account. */
  readonly balance: string
  readonly isDebit: boolean
  /** That of the first page: a statement has one end, however long it is read. */
  readonly through: number
  readonly after?: LineCursor
  readonly sealedThrough?: number
  readonly isProvisional: boolean
}

/** Amounts are text in minor units, times those of RFC 3339. */
export type StatementLine = {
  readonly effective_at: string
  readonly booked_at: string
  readonly source: string
  readonly debit: string
  readonly credit: string
  /** After the line, on the normal side. */
  readonly balance: string
}

export type StatementPage = {
  readonly opening: string
  readonly lines: StatementLine[]
  readonly closing: string
  /** Undefined on the last page. */
  readonly next: StatementPlace | undefined
  readonly isProvisional: boolean
}

/** What the account had before the statement begins. */
export async function beginStatement(
  database: Database,
  of: StatementOf,
  { from, through, bookedAt }: StatementRange,
): Promise<StatementPlace> {
  const sealed = await sealedThrough(database)
  const rows = await balancesAt(database, of, { effectiveAt: from - 1, bookedAt })
  const row = rows.find(({ currency }) => currency === of.currency)
  const [any] = row ? [row] : await balancesAt(database, of, { effectiveAt: undefined, bookedAt })
  return {
    balance: row ? `${normalBalance(row)}` : '0',
    isDebit: sideOf(any ?? { account: of.account, normal_side: null }) === 'debit',
    through,
    ...(sealed === undefined ? {} : { sealedThrough: sealed }),
    isProvisional: isProvisional(sealed, { bookedAt, lastBookedAt: row?.last_booked_at.getTime() }),
  }
}

/** The lines behind a place, in the order in which they happened: as many as wanted. */
export async function statementPage(
  database: Database,
  of: StatementOf,
  { from, bookedAt }: StatementRange,
  place: StatementPlace,
  limit: number,
): Promise<StatementPage> {
  const found = await statementLines(database, of, { from, through: place.through, bookedAt }, place.after, limit + 1)
  const rows = found.slice(0, limit)
  let running = BigInt(place.balance)
  const lines = rows.map(({ effective_at, booked_at, source, amount }) => {
    running += place.isDebit ? amount : -amount
    return {
      effective_at: effective_at.toISOString(),
      booked_at: booked_at.toISOString(),
      source,
      debit: amount > 0n ? `${amount}` : '0',
      credit: amount < 0n ? `${-amount}` : '0',
      balance: `${running}`,
    }
  })
  const isUnsealed = rows.some(({ booked_at }) =>
    isProvisional(place.sealedThrough, { bookedAt, lastBookedAt: booked_at.getTime() }),
  )
  const provisional = place.isProvisional || isUnsealed
  const last = found.length > limit ? rows.at(-1) : undefined
  const after = last && { effectiveAt: last.effective_at.getTime(), source: last.source, place: last.place }
  const next = after && { ...place, balance: `${running}`, after, isProvisional: provisional }
  return { opening: place.balance, lines, closing: `${running}`, next, isProvisional: provisional }
}

/** When a page begins and ends, as far as rates are concerned; in Unix milliseconds. */
export function pageTimes({ from }: StatementRange, place: StatementPlace, next: StatementPlace | undefined) {
  return {
    openedAt: place.after?.effectiveAt ?? from - 1,
    closedAt: next?.after?.effectiveAt ?? place.through,
    through: place.through,
  }
}

export function normalBalance(row: BalanceAtRow): bigint {
  return sideOf(row) === 'debit' ? row.debit - row.credit : row.credit - row.debit
}

function sideOf({ account, normal_side }: Pick<BalanceAtRow, 'account' | 'normal_side'>): 'debit' | 'credit' {
  return normal_side ?? accountKind(account)?.normalSide ?? 'debit'
}
