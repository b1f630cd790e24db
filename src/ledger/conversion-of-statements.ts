import { type Static, Type } from 'typebox'
import type { Whose } from './book-sql.ts'
import { inMinor } from './conversion.ts'
import { Minor } from './conversion-of-balances.ts'
import { RateShape, shownRate } from './conversion-routes.ts'
import { type RatesAt, unknownRate } from './rate.ts'

export const ConvertedStatementLine = Type.Object(
  { currency: Type.String(), debit: Minor, credit: Minor, rate: RateShape },
  { description: 'In the currency asked for, at the rate of its own day.' },
)

export const ConvertedStatement = Type.Object(
  {
    currency: Type.String(),
    opening: { ...Minor, description: 'At the rate of when the page begins.' },
    closing: { ...Minor, description: 'At the rate of when the page ends.' },
    difference: {
      ...Minor,
      description: 'Closing less opening and lines: what rates have changed meanwhile, and rounding.',
    },
  },
  { description: 'In the currency asked for.' },
)

type Line = { readonly effective_at: string; readonly debit: string; readonly credit: string }
type Page<Of extends Line> = { readonly opening: string; readonly data: readonly Of[]; readonly closing: string }

/** A page of a statement, and each amount of it at the rate of its own instant. @throws Refusal `rate_unknown`. */
export async function statementIn<Of extends Line>(
  ratesAt: RatesAt,
  whose: Whose & { readonly currency: string },
  about: { readonly base: string; readonly isDebit: boolean; readonly openedAt: number; readonly closedAt: number },
  { opening, data, closing }: Page<Of>,
) {
  const { base } = about
  const points = [
    { amount: BigInt(opening), at: about.openedAt },
    ...data.map(({ debit, credit, effective_at }) => ({
      amount: BigInt(debit) - BigInt(credit),
      at: Date.parse(effective_at),
    })),
    { amount: BigInt(closing), at: about.closedAt },
  ]
  const rates = await ratesAt(
    whose,
    points.map(({ at }) => ({ from: whose.currency, to: base, at })),
  )
  const worths = points.map(({ amount, at }, place) => {
    // What is nothing is so at any rate: an account has none before it was first used.
    if (amount === 0n) return 0n
    return inMinor(amount, whose.currency, base, rates[place] ?? unknownRate(whose.currency, base, at)).minor
  })
  const [opened = 0n, closed = 0n] = [worths[0], worths.at(-1)]
  const moved = worths.slice(1, -1).reduce((sum, worth) => sum + worth, 0n)
  const lines = data.map((line, place) => {
    const [worth = 0n, rate] = [worths[place + 1], rates[place + 1]]
    return rate ? { ...line, converted: convertedLine(base, worth, shownRate(rate)) } : line
  })
  const difference = closed - opened - (about.isDebit ? moved : -moved)
  const converted = { currency: base, opening: `${opened}`, closing: `${closed}`, difference: `${difference}` }
  return { data: lines, converted }
}

function convertedLine(currency: string, worth: bigint, rate: Static<typeof RateShape>) {
  const [debit, credit] = worth > 0n ? [worth, 0n] : [0n, -worth]
  return { currency, debit: `${debit}`, credit: `${credit}`, rate }
}
