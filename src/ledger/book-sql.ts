import { arrayLiteral } from '#kernel/array-literal'
import { statement, type Tx } from '#kernel/database'
import type { Account, Guard } from './account.ts'
import { Book, type Booked, guardName, type Hold } from './book.ts'
import type { HoldState } from './command.ts'
import type { NewEntry } from './new-entry.ts'
import type { Schedule, ScheduleState } from './schedule.ts'

export type Whose = { readonly tenant: string; readonly mode: string }

/** What commands are about to touch. */
export type Scope = {
  readonly accounts: ReadonlySet<string>
  readonly sources: ReadonlySet<string>
  readonly holds: ReadonlySet<string>
}

/** A book as it was opened: what of it was there before. */
export type OpenBook = {
  readonly book: Book
  /** The transaction's time, in Unix milliseconds. */
  readonly now: number
  readonly guards: ReadonlySet<string>
  readonly holds: ReadonlySet<string>
  readonly schedules: ReadonlySet<string>
}

type Read = {
  now_ms: number
  closed_ms: number | null
  accounts: AccountCells[] | null
  guards: [account: string, currency: string, posted: string, heldDebit: string, heldCredit: string][] | null
  holds: HoldCells[] | null
  booked: BookedCells[] | null
  schedules: ScheduleCells[] | null
}
type AccountCells = [
  account: string,
  type: Account['type'],
  normalSide: Account['normalSide'],
  currency: string | null,
  parent: string | null,
  floor: string | null,
  ceiling: string | null,
  isGuarded: boolean,
  isClosed: boolean,
]
type HoldCells = [
  id: string,
  purpose: string,
  debit: string,
  credit: string,
  amount: string,
  currency: string,
  state: HoldState,
  expiresMs: number | null,
  fingerprint: string,
  endingId: string | null,
  endingFingerprint: string | null,
]
type BookedCells = [
  source: string,
  entry: string,
  fingerprint: string | null,
  accounts: string[],
  amounts: string[],
  currencies: string[],
  reversedBy: string | null,
]

type ScheduleCells = [source: string, fingerprint: string, state: ScheduleState, dueMs: number]

const OPEN = statement('ledger.open_book', 'select ledger.open_book($1, $2, $3, $4, $5) as book')

/** Reads, and locks until the transaction's end, what the commands of one tenant and mode are decided on. */
export async function openBook(tx: Tx, { tenant, mode }: Whose, scope: Scope): Promise<OpenBook> {
  const values = [tenant, mode, [...scope.accounts], [...scope.sources], [...scope.holds]]
  const [row] = await tx.query<{ book: Read }>(OPEN, values)
  const read = row?.book ?? {
    now_ms: 0,
    closed_ms: null,
    accounts: null,
    guards: null,
    holds: null,
    booked: null,
    schedules: null,
  }
  const guards = new Map((read.guards ?? []).map((cells) => [guardName(cells[0], cells[1]), guardOf(cells)]))
  const holds = new Map((read.holds ?? []).map((cells) => [cells[0], holdOf(cells)]))
  const schedules = new Map((read.schedules ?? []).map((cells) => [cells[0], scheduleOf(cells)]))
  const book = new Book({
    closedThrough: read.closed_ms ?? Number.NEGATIVE_INFINITY,
    accounts: new Map((read.accounts ?? []).map((cells) => [cells[0], accountOf(cells)])),
    guards,
    holds,
    booked: new Map((read.booked ?? []).map((cells) => [cells[0], bookedOf(cells)])),
    schedules,
  })
  const were = { guards: new Set(guards.keys()), holds: new Set(holds.keys()), schedules: new Set(schedules.keys()) }
  return { book, now: read.now_ms, ...were }
}

function accountOf([
  account,
  type,
  normalSide,
  currency,
  parent,
  floor,
  ceiling,
  isGuarded,
  isClosed,
]: AccountCells): Account {
  return {
    account,
    type,
    normalSide,
    currency: currency ?? undefined,
    parent: parent ?? undefined,
    floor: floor === null ? undefined : BigInt(floor),
    ceiling: ceiling === null ? undefined : BigInt(ceiling),
    isGuarded,
    isClosed,
  }
}

function guardOf([account, currency, posted, heldDebit, heldCredit]: [string, string, string, string, string]): Guard {
  return { account, currency, posted: BigInt(posted), heldDebit: BigInt(heldDebit), heldCredit: BigInt(heldCredit) }
}

function holdOf(cells: HoldCells): Hold {
  const [id, purpose, debit, credit, amount, currency, state, expiresMs, fingerprint, endingId, endingFingerprint] =
    cells
  return {
    id,
    purpose,
    transfer: { debit, credit, amount: BigInt(amount), currency },
    state,
    expiresAt: expiresMs ?? undefined,
    fingerprint,
    ending: endingId === null ? undefined : { id: endingId, fingerprint: endingFingerprint ?? '' },
  }
}

function bookedOf([source, entry, fingerprint, accounts, amounts, currencies, reversedBy]: BookedCells): Booked {
  const postings = accounts.map((account, place) => ({
    account,
    amount: BigInt(amounts[place] ?? '0'),
    currency: currencies[place] ?? '',
  }))
  return { source, entry, fingerprint: fingerprint ?? undefined, postings, reversedBy: reversedBy ?? undefined }
}

function scheduleOf([source, fingerprint, state, dueAt]: ScheduleCells): Schedule {
  return { source, fingerprint, state, dueAt, refusal: undefined, entry: undefined }
}

const WRITE = statement(
  'ledger.write_book',
  `select ledger.write_book($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
)
/** Event and trace of an entry, by its source. */
export type Traced = (entry: NewEntry) => { readonly eventId: string; readonly traceparent: string }

/** Writes what was decided on the book. @throws with SQLSTATE 40001 when another process was first: open it again. */
export async function writeBook(tx: Tx, { tenant, mode }: Whose, open: OpenBook, traced: Traced): Promise<void> {
  const { entries, guards, holds } = open.book.changes()
  const about = entries.map(traced)
  const reversals = entries.filter(({ reverses }) => reverses !== undefined)
  const isOldGuard = ({ account, currency }: Guard): boolean => open.guards.has(guardName(account, currency))
  const isOldHold = ({ id }: Hold): boolean => open.holds.has(id)
  await tx.query(WRITE, [
    tenant,
    mode,
    open.now,
    entries.map(({ source }) => source),
    entries.map(({ entry }) => entry),
    entries.map(({ purpose }) => purpose),
    // Arrays of arrays would be flattened by unnest: an inner one travels as text.
    entries.map(({ postings }) => arrayLiteral(postings.map(({ account }) => account))),
    entries.map(({ postings }) => arrayLiteral(postings.map(({ amount }) => amount))),
    entries.map(({ postings }) => arrayLiteral(postings.map(({ currency }) => currency))),
    entries.map(({ effectiveAt }) => effectiveAt),
    about.map(({ eventId }) => eventId),
    about.map(({ traceparent }) => traceparent),
    entries.map(({ fingerprint }) => fingerprint),
    entries.map(({ hold }) => hold ?? null),
    reversals.map(({ reverses }) => reverses ?? ''),
    reversals.map(({ source }) => source),
    rowsOf(guards.filter(isOldGuard), guardRow),
    rowsOf(
      guards.filter((guard) => !isOldGuard(guard)),
      guardRow,
    ),
    rowsOf(holds.filter(isOldHold), holdRow),
    rowsOf(
      holds.filter((hold) => !isOldHold(hold)),
      holdRow,
    ),
  ])
}

function rowsOf<Item>(items: readonly Item[], row: (item: Item) => object): string | null {
  return items.length === 0 ? null : JSON.stringify(items.map(row))
}

function guardRow({ account, currency, posted, heldDebit, heldCredit }: Guard) {
  return { account, currency, posted: `${posted}`, held_debit: `${heldDebit}`, held_credit: `${heldCredit}` }
}

function holdRow({ id, purpose, transfer, state, expiresAt, fingerprint, ending }: Hold) {
  const { debit, credit, amount, currency } = transfer
  const ended = { ending_id: ending?.id ?? null, ending_fingerprint: ending?.fingerprint ?? null }
  const expires_ms = expiresAt ?? null
  return { id, purpose, debit, credit, amount: `${amount}`, currency, state, fingerprint, expires_ms, ...ended }
}

const MOVE = statement('ledger.move_guards', 'select ledger.move_guards($1, $2, $3, $4, $5)')
type Moved = Whose & { readonly account: string; readonly currency: string; readonly amount: bigint }
/** Adds what payments have booked to the guards of the accounts that have one. */
export async function moveGuards(tx: Tx, moved: readonly Moved[]): Promise<void> {
  if (moved.length === 0) return
  const sums = new Map<string, Moved>()
  for (const one of moved) {
    const name = `${one.tenant}\n${one.mode}\n${guardName(one.account, one.currency)}`
    sums.set(name, { ...one, amount: one.amount + (sums.get(name)?.amount ?? 0n) })
  }
  const all = [...sums.values()]
  await tx.query(MOVE, [
    all.map(({ tenant }) => tenant),
    all.map(({ mode }) => mode),
    all.map(({ account }) => account),
    all.map(({ currency }) => currency),
    all.map(({ amount }) => amount),
  ])
}
