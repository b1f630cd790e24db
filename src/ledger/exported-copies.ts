import { canonicalJson } from '#kernel/canonical'
import { invariant } from '#kernel/invariant'
import type { SealedEntry } from './block.ts'
import type { EntryContent } from './block-sql.ts'
import { positionMoves } from './conversion.ts'
import { balanced } from './entry.ts'
import {
  digits,
  type Exported,
  type ExportedRow,
  instant,
  placeOf,
  small,
  text,
  textOrNone,
  texts,
} from './exported.ts'
import { readable } from './exported-log.ts'
import { daysOf, linesOf } from './statements.ts'
import type { Side, Tally } from './tally.ts'

/** What tables have of the entries on the log, and what adds them up. */
export type Tallies = {
  /** Entries, and what they reverse and convert: rows that each stand for something on the log. */
  readonly copies: Tally
  /** Balances, and the postings that they are the sums of. */
  readonly sums: Tally
  /** Lines of accounts, and sums by day. */
  readonly statements: Tally
}

type Place = () => string
type Tell = (finding: string) => void

/** What an entry on the log has to have left: its row, what it reverses and what it converts. */
export function countCopies(tally: Tally, entry: SealedEntry, place: Place): void {
  const { tenant, mode, source, reverses, effectiveAt, conversion } = entry
  countEntry(tally, 'log', entry, place)
  if (reverses !== undefined) tally.add('log', ['reversal', tenant, mode, reverses], source, place)
  const moves = positionMoves(amountsOf(entry))
  if (moves.length === 0) return
  const [currencies, amounts] = [moves.map(({ currency }) => currency), moves.map(({ amount }) => `${amount}`)]
  const content = canonicalJson([effectiveAt, currencies, amounts, conversion ?? null])
  tally.add('log', ['conversion', tenant, mode, source], content, place)
}

/** And in the statements: a line for each posting, and their sums by day. */
export function countStatements(tally: Tally, entry: SealedEntry, key: string, place: Place): void {
  const { tenant, mode, bookedAt: time } = entry
  // Lines are named by the entry's whole source, which stands here as its data's.
  const posted = { tenant, mode, key, time, data: entry }
  for (const line of linesOf({ ...posted, key: entry.source })) countLine(tally, 'log', line, place)
  for (const day of daysOf([posted])) countDay(tally, 'log', day, place)
}

/** What the postings of an entry add to balances: so many times. */
export function countSums(
  tally: Tally,
  entry: Pick<EntryContent, 'tenant' | 'mode' | 'postings'>,
  place: Place,
  times = 1n,
): void {
  const { tenant, mode } = entry
  for (const { account, amount, currency } of amountsOf(entry)) {
    const subject = ['balance', tenant, mode, account, currency]
    if (amount > 0n) tally.add('log', subject, 'debit', place, times * amount)
    else tally.add('log', subject, 'credit', place, -times * amount)
    tally.add('log', subject, 'entries', place, times)
  }
}

/** Goes through the ledger's tables, and counts what they have. Returns how much there was. */
export async function countTables(
  exported: Exported,
  { copies, sums, statements }: Tallies,
  tell: Tell,
): Promise<{ entries: number; postings: number }> {
  let [entries, postings] = [0, 0]
  for await (const entry of readable(exported.rows('ledger.entry'), entryIn, tell)) {
    const place = () => placeOf(entry)
    entries++
    postings += entry.postings.length
    if (!isBalanced(entry)) tell(`${place()}: entry ${entry.source} (${entry.entry}) does not balance`)
    countEntry(copies, 'table', entry, place)
    countSums(sums, entry, place)
  }
  for await (const row of exported.rows('ledger.reversal')) {
    tellIfUnreadable(row, tell, () => {
      copies.add('table', ['reversal', ...whose(row), text(row, 'source')], text(row, 'reversed_by'), () =>
        placeOf(row),
      )
    })
  }
  for await (const row of exported.rows('ledger.conversion')) {
    tellIfUnreadable(row, tell, () => {
      const details = textOrNone(row, 'details')
      const parsed = details === undefined ? null : JSON.parse(details)
      const content = canonicalJson([
        instant(row, 'effective_at'),
        texts(row, 'currencies'),
        texts(row, 'amounts'),
        parsed,
      ])
      copies.add('table', ['conversion', ...whose(row), text(row, 'source')], content, () => placeOf(row))
    })
  }
  for await (const line of readable(exported.rows('ledger.line'), lineIn, tell)) {
    countLine(statements, 'table', line, () => placeOf(line))
  }
  for await (const day of readable(exported.rows('ledger.day'), dayIn, tell)) {
    countDay(statements, 'table', day, () => placeOf(day))
  }
  for await (const row of exported.rows('ledger.balance')) {
    tellIfUnreadable(row, tell, () => {
      const subject = ['balance', ...whose(row), text(row, 'account'), text(row, 'currency')]
      for (const what of ['debit', 'credit', 'entries'])
        sums.add('table', subject, what, () => placeOf(row), digits(row, what))
    })
  }
  return { entries, postings }
}

/** @throws InvariantViolation where an amount is no number. */
export function isBalanced(entry: Pick<EntryContent, 'postings'>): boolean {
  return balanced({ postings: amountsOf(entry) })
}

function amountsOf({ postings }: Pick<EntryContent, 'postings'>) {
  return postings.map(({ account, amount, currency }) => ({ account, amount: BigInt(amount), currency }))
}

function countEntry(tally: Tally, side: Side, entry: EntryContent, place: Place): void {
  const { tenant, mode, source, entry: id, purpose, effectiveAt, hold = null, postings } = entry
  const plain = postings.map(({ account, amount, currency }) => [account, amount, currency])
  tally.add(side, ['entry', tenant, mode, source], JSON.stringify([id, purpose, effectiveAt, hold, plain]), place)
}

/** The id of the entry whose content that is. */
export function idIn(content: string): string {
  const [id]: string[] = JSON.parse(content)
  return id ?? ''
}

type Line = ReturnType<typeof linesOf>[number]
type Day = ReturnType<typeof daysOf>[number]

function countLine(tally: Tally, side: Side, line: Line, place: Place): void {
  const { tenant, mode, account, currency, source, place: at, effectiveAt, bookedAt, amount } = line
  const content = JSON.stringify([at, effectiveAt, bookedAt, amount])
  tally.add(side, ['line', tenant, mode, account, currency, source], content, place)
}

function countDay(tally: Tally, side: Side, day: Day, place: Place): void {
  const { tenant, mode, account, currency, effectiveDay, bookedDay, stripe, debit, credit, entries } = day
  const subject = ['day', tenant, mode, account, currency, effectiveDay, bookedDay, `${stripe}`]
  for (const [what, weight] of Object.entries({ debit, credit, entries })) {
    tally.add(side, subject, what, place, BigInt(weight))
  }
}

function entryIn(row: ExportedRow): EntryContent {
  const [accounts, amounts, currencies] = [texts(row, 'accounts'), texts(row, 'amounts'), texts(row, 'currencies')]
  const isWhole = accounts.length === amounts.length && accounts.length === currencies.length
  invariant(isWhole && amounts.every((amount) => /^-?[0-9]{1,30}$/.test(amount)), 'its postings are no postings')
  const hold = textOrNone(row, 'hold')
  const [tenant, mode] = whose(row)
  return {
    tenant,
    mode,
    source: text(row, 'source'),
    entry: text(row, 'id'),
    purpose: text(row, 'purpose'),
    effectiveAt: instant(row, 'effective_at'),
    ...(hold === undefined ? {} : { hold }),
    postings: accounts.map((account, place) => ({
      account,
      amount: amounts[place] ?? '',
      currency: currencies[place] ?? '',
    })),
  }
}

function lineIn(row: ExportedRow): Line {
  const [tenant, mode] = whose(row)
  return {
    tenant,
    mode,
    account: text(row, 'account'),
    currency: text(row, 'currency'),
    effectiveAt: instant(row, 'effective_at'),
    source: text(row, 'source'),
    place: small(row, 'place'),
    bookedAt: instant(row, 'booked_at'),
    amount: text(row, 'amount'),
  }
}

function dayIn(row: ExportedRow): Day {
  const [tenant, mode] = whose(row)
  return {
    tenant,
    mode,
    account: text(row, 'account'),
    currency: text(row, 'currency'),
    effectiveDay: text(row, 'effective_day'),
    bookedDay: text(row, 'booked_day'),
    stripe: small(row, 'stripe'),
    debit: `${digits(row, 'debit')}`,
    credit: `${digits(row, 'credit')}`,
    entries: small(row, 'entries'),
  }
}

function whose(row: ExportedRow): [tenant: string, mode: string] {
  return [text(row, 'tenant'), text(row, 'mode')]
}

function tellIfUnreadable(row: ExportedRow, tell: Tell, read: () => void): void {
  try {
    read()
  } catch (error) {
    tell(`${placeOf(row)}: ${error instanceof Error ? error.message : 'it cannot be read'}`)
  }
}
