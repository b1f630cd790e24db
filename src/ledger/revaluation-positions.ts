import type { Database, Tx } from '#kernel/database'
import { beginOf } from '#kernel/day'
import { inMinor } from './conversion.ts'
import { knownRate, type Rate, type RatesAt } from './rate.ts'
import { afterTrade, isCross, type Position, type Trade } from './revaluation.ts'
import * as sql from './revaluation-sql.ts'

/** Positions at the end of a day, by currency, and what they were worked out from. */
export type Counted = {
  readonly positions: ReadonlyMap<string, Position>
  readonly from: Kept
  readonly stretch: sql.Stretch
  readonly trades: number
}
type Kept = Awaited<ReturnType<typeof sql.keptPositions>>

export type ValuedPosition = Position & {
  readonly currency: string
  /** In minor units of the base currency. */
  readonly value: bigint
  /** Undefined where nothing is left of the position. */
  readonly rate: Rate | undefined
}

type Ports = { readonly read: Database; readonly ratesAt: RatesAt }

const PAGE = 5_000
const DAY_MS = 24 * 60 * 60 * 1000

/** Midnight UTC at which the day is over, in Unix milliseconds. */
export function endOf(day: string): number {
  return beginOf(day) + DAY_MS
}

/** From the positions that were kept last, or from the beginning. @throws Refusal `rate_unknown` or `rate_stale`. */
export async function countPositions({ read, ratesAt }: Ports, asked: sql.Valuation): Promise<Counted> {
  const from = await sql.keptPositions(read, asked)
  const stretch = { after: from && endOf(from.day) - 1, through: endOf(asked.day) - 1 }
  let positions = from?.positions ?? new Map<string, Position>()
  let trades = 0
  let last: Trade | undefined
  for (;;) {
    const page = await sql.tradesIn(read, asked, stretch, last, PAGE)
    const worths = await worthsOf(ratesAt, asked, page)
    for (const trade of page) positions = afterTrade(positions, trade, asked.base, worths.get(trade))
    trades += page.length
    last = page.at(-1)
    if (page.length < PAGE) return { positions, from, stretch, trades }
  }
}

/**
 * Keeps the positions for the next time, unless a conversion came that they do not count. Only under `lockAccounts`: nobody
 * converts meanwhile, and who converts afterwards finds them, and takes them away if it was of those days.
 */
export async function keepCounted(tx: Tx, asked: sql.Valuation, counted: Counted): Promise<void> {
  const from = await sql.keptPositions(tx, asked)
  const isSame = from?.day === counted.from?.day && isEqual(from?.positions, counted.from?.positions)
  if (isSame && (await sql.countTrades(tx, asked, counted.stretch)) === counted.trades) {
    await sql.keepPositions(tx, asked, counted.positions)
  }
}

type Positions = ReadonlyMap<string, Position> | undefined

function isEqual(one: Positions, other: Positions): boolean {
  const textOf = (positions: Positions) =>
    [...(positions ?? [])].map(([currency, { quantity, cost, realised }]) =>
      [currency, quantity, cost, realised].join(),
    )
  return textOf(one).join(';') === textOf(other).join(';')
}

/** What the first leg of trades without the base was worth in it on its day. */
async function worthsOf(ratesAt: RatesAt, asked: sql.Valuation, trades: readonly Trade[]) {
  const legs = trades
    .filter((trade) => isCross(trade, asked.base))
    .flatMap((trade) => trade.moves.slice(0, 1).map((first) => ({ trade, first })))
  const asks = legs.map(({ trade, first }) => ({ from: first.currency, to: asked.base, at: trade.effectiveAt }))
  const rates = asks.length === 0 ? [] : await ratesAt(asked, asks)
  return new Map(
    legs.map(({ trade, first: { currency, amount } }, place) => {
      const rate = knownRate(rates[place], { from: currency, to: asked.base, at: trade.effectiveAt })
      return [trade, inMinor(amount, currency, asked.base, rate).minor] as const
    }),
  )
}

/** Each at the rate of the end of the day, in the order of currencies. @throws Refusal `rate_unknown` or `rate_stale`. */
export async function valuePositions(
  ratesAt: RatesAt,
  asked: sql.Valuation,
  positions: ReadonlyMap<string, Position>,
): Promise<ValuedPosition[]> {
  const all = [...positions].sort(([a], [b]) => (a < b ? -1 : 1))
  const asks = all.map(([currency]) => ({ from: currency, to: asked.base, at: endOf(asked.day) - 1 }))
  const rates = await ratesAt(asked, asks)
  return all.map(([currency, position], place) => {
    if (position.quantity === 0n) return { ...position, currency, value: 0n, rate: undefined }
    const ask = { from: currency, to: asked.base, at: endOf(asked.day) - 1 }
    const rate = knownRate(rates[place], ask)
    return { ...position, currency, rate, value: inMinor(position.quantity, currency, asked.base, rate).minor }
  })
}
