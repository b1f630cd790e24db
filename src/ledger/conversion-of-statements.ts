import { type Static, Type } from 'typebox'
import type { Whose } from './book-sql.ts'
import { inMinor } from './conversion.ts'
import { Minor } from './conversion-of-balances.ts'
import { RateShape, shownRate } from './conversion-routes.ts'
import { knownRate, type RatesAt } from './rate.ts'

/** By which rates a statement is shown in another currency: each line's own, or those of its end. */
export const RateChoice = Type.Union([Type.Literal('own'), Type.Literal('closing')])
export type RateChoice = Static<typeof RateChoice>

export const ConvertedStatementLine = Type.Object(
  { currency: Type.String(), debit: Minor, credit: Minor, rate: RateShape },
  { description: 'In the currency asked for.' },
)

export const ConvertedStatement = Type.Object(
  {
    currency: Type.String(),
    rates: {
      ...RateChoice,
      description: 'own: each line at the rate of its day; closing: all at the rate of when the statement ends.',
    },
    opening: { ...Minor, description: 'At the rate of when the page begins, or the closing rate.' },
    closing: { ...Minor, description: 'At the rate of when the page ends, or the closing rate.' },
    difference: {
      ...Minor,
      description: 'Closing less opening and lines: what rates have changed meanwhile, and rounding.',
    },
  },
  { description: 'In the currency asked for.' },
)

type Line = { readonly effective_at: string; readonly debit: string; readonly credit: string }
type Page<Of extends Line> = { readonly opening: string; readonly data: readonly Of[]; readonly closing: string }

export type StatementConversion = {
  readonly base: string
  readonly rates: RateChoice
  readonly isDebit: boolean
  /** Unix milliseconds: when the page begins and ends, and when the statement does. */
  readonly openedAt: number
  readonly closedAt: number
  readonly through: number
}

export type ConvertedPage<Of extends Line> = {
  readonly data: (Of & { readonly converted?: Static<typeof ConvertedStatementLine> })[]
  readonly converted: Static<typeof ConvertedStatement>
}

/** A page of a statement in another currency. @throws Refusal `rate_unknown` or `rate_stale`. */
export async function statementIn<Of extends Line>(
  ratesAt: RatesAt,
  whose: Whose & { readonly currency: string },
  { base, rates, isDebit, openedAt, closedAt, through }: StatementConversion,
  { opening, data, closing }: Page<Of>,
): Promise<ConvertedPage<Of>> {
  const points = [
    { amount: BigInt(opening), at: openedAt },
    ...data.map(({ debit, credit, effective_at }) => ({
      amount: BigInt(debit) - BigInt(credit),
      at: Date.parse(effective_at),
    })),
    { amount: BigInt(closing), at: closedAt },
  ]
  const asks = points.map(({ at }) => ({ from: whose.currency, to: base, at: rates === 'own' ? at : through }))
  const found = await ratesAt(whose, asks)
  const worths = points.map(({ amount }, place) => {
    const ask = asks[place]
    // What is nothing is so at any rate: an account has none before it was first used.
    if (amount === 0n || !ask) return 0n
    return inMinor(amount, whose.currency, base, knownRate(found[place], ask)).minor
  })
  const [opened = 0n, closed = 0n] = [worths[0], worths.at(-1)]
  const moved = worths.slice(1, -1).reduce((sum, worth) => sum + worth, 0n)
  const lines = data.map((line, place) => {
    const [worth = 0n, rate] = [worths[place + 1], found[place + 1]]
    return rate && 'numerator' in rate ? { ...line, converted: convertedLine(base, worth, shownRate(rate)) } : line
  })
  const difference = closed - opened - (isDebit ? moved : -moved)
  const converted = { currency: base, rates, opening: `${opened}`, closing: `${closed}`, difference: `${difference}` }
  return { data: lines, converted }
}

function convertedLine(currency: string, worth: bigint, rate: Static<typeof RateShape>) {
  const [debit, credit] = worth > 0n ? [worth, 0n] : [0n, -worth]
  return { currency, debit: `${debit}`, credit: `${credit}`, rate }
}
