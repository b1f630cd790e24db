import { invariant } from '#kernel/invariant'
import { divideHalfEven } from '#kernel/money'

/** Whether an entry is of a revaluation, by its source: the next one makes right what it has to be. */
export function isOfRevaluation(source: string): boolean {
  return source.startsWith('entry/revaluation/')
}

/** What we have of a currency. Where we owe more of it than we have, quantity and cost are below zero: what it brought us. */
export type Position = {
  /** In minor units of the currency. */
  readonly quantity: bigint
  /** What it cost, at the average of what was paid; in minor units of the base currency. */
  readonly cost: bigint
  /** Gains on what has been given away again; losses below zero. In minor units of the base currency. */
  readonly realised: bigint
}

export const nothing: Position = { quantity: 0n, cost: 0n, realised: 0n }

/**
 * A position after we got `quantity` of the currency for `cost` of the base, or, both below zero, gave it away for as much.
 * The method is average cost: what is given away takes with it its share of what all of it had cost, rounded half to even; the
 * rest of what it brought is realised. A trade through zero closes what there was and opens the rest at its own price.
 * Cost less realised gain always changes by exactly `cost`: nothing is lost to rounding.
 */
export function traded(before: Position, quantity: bigint, cost: bigint): Position {
  if (before.quantity === 0n || sign(before.quantity) === sign(quantity)) {
    return { ...before, quantity: before.quantity + quantity, cost: before.cost + cost }
  }
  const isPart = size(quantity) <= size(before.quantity)
  const [costGone, costOfIt] = isPart
    ? [divideHalfEven(before.cost * size(quantity), size(before.quantity)), cost]
    : [before.cost, divideHalfEven(cost * size(before.quantity), size(quantity))]
  return {
    quantity: before.quantity + quantity,
    cost: isPart ? before.cost - costGone : cost - costOfIt,
    realised: before.realised - costOfIt - costGone,
  }
}

/** What one entry moved between positions: what they are longer by. */
export type Trade = {
  readonly source: string
  /** Unix milliseconds. */
  readonly effectiveAt: number
  readonly moves: readonly { readonly currency: string; readonly amount: bigint }[]
}

/** Trades without the base currency in them, which have to be valued in it. */
export function isCross({ moves }: Trade, base: string): boolean {
  return moves.length > 0 && !moves.some(({ currency }) => currency === base)
}

/**
 * The positions after a trade. It cost what moved in the base; or, where nothing did, what its first leg was worth on its day: so much
 * one position gave, and the other took.
 */
export function afterTrade(
  positions: ReadonlyMap<string, Position>,
  { moves }: Trade,
  base: string,
  worthOfFirst: bigint | undefined,
): Map<string, Position> {
  const [first] = moves
  const inBase = moves.find(({ currency }) => currency === base)
  invariant(moves.length === 2, 'a conversion moves two positions')
  const after = new Map(positions)
  for (const move of moves) {
    if (move === inBase) continue
    const worth = inBase ? -inBase.amount : worthOfFirst
    invariant(worth !== undefined, 'a trade is valued before it is counted')
    const cost = inBase || move === first ? worth : -worth
    after.set(move.currency, traded(after.get(move.currency) ?? nothing, move.amount, cost))
  }
  return after
}

function sign(amount: bigint): -1 | 0 | 1 {
  if (amount === 0n) return 0
  return amount < 0n ? -1 : 1
}

function size(amount: bigint): bigint {
  return amount < 0n ? -amount : amount
}
