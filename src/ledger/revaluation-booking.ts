import type { Clock } from '#kernel/clock'
import type { Database, Tx } from '#kernel/database'
import { beginOf, isDay } from '#kernel/day'
import { Refusal } from '#kernel/errors'
import { factsTransaction, roleOf, type Wakeups } from '#log'
import { REALISED, UNREALISED, valuationAccount } from './accounts.ts'
import { openBook, type Whose, writeBook } from './book-sql.ts'
import type { PostEntry } from './command.ts'
import { inMinor } from './conversion.ts'
import { decide } from './decide.ts'
import { entryId, entrySource } from './entry-source.ts'
import { entryPosted } from './events.ts'
import { type Asked, factsOf, postedEventId } from './facts.ts'
import { type Rate, type RatesAt, unknownRate } from './rate.ts'
import { refusalOf } from './refusal.ts'
import { afterTrade, isCross, type Position, type Trade } from './revaluation.ts'
import * as sql from './revaluation-sql.ts'

export type RevaluationAsked = Whose &
  Asked & {
    /** The currency in which gains are told. */
    readonly base: string
    /** Of the calendar in UTC, as in 2026-11-20; not in the future. */
    readonly day: string
  }

/** A position as it was valued, and what of its gain the books had not told yet. */
export type Revaluation = {
  readonly currency: string
  /** In minor units of the currency; below zero where we owe it. */
  readonly quantity: bigint
  /** These four in minor units of the base currency. */
  readonly cost: bigint
  readonly value: bigint
  readonly realised: bigint
  readonly unrealised: bigint
  /** Undefined where nothing is left of the position. */
  readonly rate: Rate | undefined
  /** Of the entry; undefined where the books were right as they were. */
  readonly source: string | undefined
  readonly isRepeated: boolean
}

/** @throws Refusal `rate_unknown`, `revaluation_passed`, `period_closed`, or of the day or base. */
export type Revalue = (asked: RevaluationAsked) => Promise<readonly Revaluation[]>

const PAGE = 5_000
const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Values the positions in all currencies at the end of a day, and books what of the gains, realised and not, is not in the
 * books: each currency an entry, once for the day. Whatever was booked late is in the next one.
 */
export function createRevaluation(ports: {
  readonly work: Database
  readonly read: Database
  readonly wakeups: Wakeups
  readonly clock: Clock
  readonly ratesAt: RatesAt
}): Revalue {
  const { work, read, wakeups, clock, ratesAt } = ports
  return async (asked) => {
    const at = endOf(asked.day, clock.now())
    const positions = await positionsAt({ read, ratesAt }, asked, at)
    const valued = await valueAll(ratesAt, asked, positions, at)
    const revaluations = await factsTransaction(work, (tx) => book(tx, asked, valued, at), { role: roleOf('ledger') })
    wakeups.wake([entryPosted.topic])
    return revaluations
  }
}

/** The last instant of the day, or now, while it lasts. */
function endOf(day: string, now: number): number {
  if (!isDay(day)) throw new Refusal('body_invalid', { field: 'day', detail: 'day must be one, as in 2026-11-20' })
  const begin = beginOf(day)
  if (begin > now) throw new Refusal('body_invalid', { field: 'day', detail: 'day must not be in the future' })
  return Math.min(begin + DAY_MS - 1, now)
}

async function positionsAt(
  { read, ratesAt }: { readonly read: Database; readonly ratesAt: RatesAt },
  asked: RevaluationAsked,
  at: number,
): Promise<ReadonlyMap<string, Position>> {
  const { base } = asked
  let positions: ReadonlyMap<string, Position> = new Map()
  let after: Trade | undefined
  for (;;) {
    const trades = await sql.tradesUpTo(read, asked, at, after, PAGE)
    const cross = trades.filter((trade) => isCross(trade, base))
    const worths = await worthsOf(ratesAt, asked, cross)
    for (const trade of trades) positions = afterTrade(positions, trade, base, worths.get(trade))
    after = trades.at(-1)
    if (trades.length < PAGE) return positions
  }
}

/** What the first leg of each was worth in the base on its day. */
async function worthsOf(ratesAt: RatesAt, asked: RevaluationAsked, trades: readonly Trade[]) {
  const legs = trades.flatMap((trade) => trade.moves.slice(0, 1).map((first) => ({ trade, first })))
  const asks = legs.map(({ trade, first }) => ({ from: first.currency, to: asked.base, at: trade.effectiveAt }))
  const rates = await ratesAt(asked, asks)
  return new Map(
    legs.map(({ trade, first }, place) => {
      const rate = rates[place] ?? unknownRate(first.currency, asked.base, trade.effectiveAt)
      return [trade, inMinor(first.amount, first.currency, asked.base, rate).minor] as const
    }),
  )
}

type Valued = Position & { readonly currency: string; readonly value: bigint; readonly rate: Rate | undefined }

async function valueAll(
  ratesAt: RatesAt,
  asked: RevaluationAsked,
  positions: ReadonlyMap<string, Position>,
  at: number,
): Promise<Valued[]> {
  const all = [...positions].sort(([a], [b]) => (a < b ? -1 : 1))
  const rates = await ratesAt(
    asked,
    all.map(([currency]) => ({ from: currency, to: asked.base, at })),
  )
  return all.map(([currency, position], place) => {
    if (position.quantity === 0n) return { ...position, currency, value: 0n, rate: undefined }
    const rate = rates[place] ?? unknownRate(currency, asked.base, at)
    return { ...position, currency, rate, value: inMinor(position.quantity, currency, asked.base, rate).minor }
  })
}

async function book(tx: Tx, asked: RevaluationAsked, valued: readonly Valued[], at: number) {
  const { base, day } = asked
  await sql.lockRevaluation(tx)
  const before = await sql.revaluedBefore(tx, asked, base)
  const repeated = (await sql.revaluationsOf(tx, asked, base, day)).map(repeatedOf)
  const isRepeated = new Set(repeated.map(({ currency }) => currency))
  const found = valued
    .filter(({ currency }) => !isRepeated.has(currency))
    .map((one) => revaluationOf(one, before.get(one.currency), asked))
  const booked = found.filter(({ source }) => source !== undefined)
  const facts = booked.length === 0 ? { facts: [] } : await write(tx, asked, booked, at)
  const result = [...repeated, ...found].sort((a, b) => (a.currency < b.currency ? -1 : 1))
  return { result, ...facts }
}

function revaluationOf(
  { currency, quantity, cost, value, rate, ...gains }: Valued,
  before: sql.Revalued | undefined,
  { base, day }: RevaluationAsked,
): Revaluation {
  if (before && before.lastDay > day) {
    throw new Refusal('revaluation_passed', { field: 'day', members: { currency, day: before.lastDay } })
  }
  const realised = gains.realised - (before?.realised ?? 0n)
  const unrealised = value - cost - (before?.unrealised ?? 0n)
  const isRight = realised === 0n && unrealised === 0n
  const source = isRight ? undefined : entrySource(idOf(base, day, currency))
  return { currency, quantity, cost, value, realised, unrealised, rate, source, isRepeated: false }
}

/** With slashes, which no caller's id has: nobody else can have used it. */
function idOf(base: string, day: string, currency: string): string {
  return `revaluation/${base}/${day}/${currency}`
}

async function write(tx: Tx, asked: RevaluationAsked, revaluations: readonly Revaluation[], at: number) {
  const { base, day } = asked
  const commands = revaluations.map((one) => commandOf(one, base, day, at))
  const open = await openBook(tx, asked, {
    accounts: new Set(commands.flatMap(({ postings }) => postings.map(({ account }) => account))),
    sources: new Set(commands.map(({ id }) => entrySource(id))),
    holds: new Set(),
  })
  for (const command of commands) {
    const outcome = decide(open.book, command, (source) => entryId(asked, source))
    if (outcome.status === 'refused') throw refusalOf(outcome.refusal)
  }
  await writeBook(tx, asked, open, ({ source }) => ({
    eventId: postedEventId(asked, source),
    traceparent: asked.traceparent,
  }))
  await sql.addRevaluations(tx, asked, { base, day }, revaluations.map(rowOf))
  return factsOf(
    asked,
    open.book.changes(),
    () => false,
    () => asked,
  )
}

/** The gain is income, unrealised until the position is given away; what it is made of is the worth of the position. */
function commandOf({ currency, realised, unrealised }: Revaluation, base: string, day: string, at: number): PostEntry {
  const postings = [
    { account: valuationAccount(currency), amount: realised + unrealised, currency: base },
    { account: REALISED, amount: -realised, currency: base },
    { account: UNREALISED, amount: -unrealised, currency: base },
  ].filter(({ amount }) => amount !== 0n)
  const id = idOf(base, day, currency)
  const nothingElse = { transfers: [], conditions: [] }
  return { kind: 'entry', id, fingerprint: id, purpose: 'revaluation', postings, ...nothingElse, effectiveAt: at }
}

function rowOf({ currency, source = '', quantity, cost, value, realised, unrealised, rate }: Revaluation) {
  return {
    currency,
    source,
    quantity: `${quantity}`,
    cost: `${cost}`,
    value: `${value}`,
    realised: `${realised}`,
    unrealised: `${unrealised}`,
    rate: rate
      ? {
          numerator: `${rate.numerator}`,
          denominator: `${rate.denominator}`,
          source: rate.source,
          effectiveAt: rate.effectiveAt,
        }
      : null,
  }
}

function repeatedOf({ currency, source, rate, ...amounts }: sql.RevaluationRow): Revaluation {
  return {
    currency,
    source,
    quantity: BigInt(amounts.quantity),
    cost: BigInt(amounts.cost),
    value: BigInt(amounts.value),
    realised: BigInt(amounts.realised),
    unrealised: BigInt(amounts.unrealised),
    rate: rate ? { ...rate, numerator: BigInt(rate.numerator), denominator: BigInt(rate.denominator) } : undefined,
    isRepeated: true,
  }
}
