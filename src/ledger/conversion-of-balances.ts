import { type Static, Type } from 'typebox'
import { parseCurrency } from '#kernel/currency'
import { Refusal } from '#kernel/errors'
import { isOfCurrencies, positionAccount } from './accounts.ts'
import type { Whose } from './book-sql.ts'
import { inMinor } from './conversion.ts'
import { RateShape, shownRate } from './conversion-routes.ts'
import { knownRate, type Rate, type RatesAt } from './rate.ts'

type Line = {
  readonly account: string
  readonly currency: string
  readonly debit: bigint
  readonly credit: bigint
  readonly balance: bigint
}

/** A line as it would be in the base currency, by one rate. */
export type LineInBase = {
  readonly currency: string
  readonly debit: bigint
  readonly credit: bigint
  readonly balance: bigint
  /** Undefined for what is in the base currency anyway. */
  readonly rate: Rate | undefined
}

/**
 * Each line in the base currency, at the rate of the instant. Debit and credit are rounded each for itself, half to even, and the
 * balance is what they come to: over many lines the sums may differ by the rounding, which is shown and hidden nowhere.
 * Undefined for gains that were told in another base: they are the same gains, and would count twice.
 * @throws Refusal `rate_unknown` or `rate_stale`.
 */
export async function inBase(
  ratesAt: RatesAt,
  whose: Whose,
  { base, at }: { readonly base: string; readonly at: number },
  lines: readonly Line[],
): Promise<(LineInBase | undefined)[]> {
  const counted = lines.filter((line) => !isOfOtherBase(line, base))
  const currencies = [...new Set(counted.map(({ currency }) => currency))].filter((currency) => currency !== base)
  const asks = currencies.map((from) => ({ from, to: base, at }))
  const found = await ratesAt(whose, asks)
  const rates = new Map(asks.map((ask, place) => [ask.from, knownRate(found[place], ask)]))
  return lines.map((line) => {
    if (isOfOtherBase(line, base)) return undefined
    const rate = rates.get(line.currency)
    const worthOf = (amount: bigint): bigint => (rate ? inMinor(amount, line.currency, base, rate).minor : amount)
    const [debit, credit] = [worthOf(line.debit), worthOf(line.credit)]
    const isOfDebits = line.balance === line.debit - line.credit
    return { currency: base, debit, credit, balance: isOfDebits ? debit - credit : credit - debit, rate }
  })
}

function isOfOtherBase({ account, currency }: Pick<Line, 'account' | 'currency'>, base: string): boolean {
  return currency !== base && isOfCurrencies(account) && account !== positionAccount(currency)
}

export const Minor = Type.String({ pattern: '^-?\\d+$', description: 'Minor units, as text: a sum may pass 2^53.' })

export const inQuery = {
  in: Type.Optional(
    Type.String({
      pattern: '^[A-Z]{3}$',
      description: 'A currency to show it in too, as in EUR: at the rates of the instant.',
    }),
  ),
}

export const ConvertedLine = Type.Object(
  {
    currency: Type.String(),
    debit: Minor,
    credit: Minor,
    balance: Minor,
    rate: Type.Union([RateShape, Type.Null()], { description: 'Whole units for one of the line’s; null for its own.' }),
  },
  {
    description:
      'In the currency asked for, each amount rounded half to even. Absent from gains that were told in another currency.',
  },
)

export const ConvertedTotal = Type.Object(
  {
    currency: Type.String(),
    debit: Minor,
    credit: Minor,
    difference: { ...Minor, description: 'What rounding leaves, and nothing else.' },
  },
  { description: 'Of all lines, in the currency asked for.' },
)

/** @throws Refusal `parameter_invalid`. */
export function baseOf(text: string | undefined): string | undefined {
  if (text === undefined || parseCurrency(text) !== undefined) return text
  throw new Refusal('parameter_invalid', { field: 'in', detail: 'in must be an ISO 4217 code, as in EUR' })
}

export function convertedLine({ currency, debit, credit, balance, rate }: LineInBase): Static<typeof ConvertedLine> {
  const amounts = { debit: `${debit}`, credit: `${credit}`, balance: `${balance}` }
  return { currency, ...amounts, rate: rate ? shownRate(rate) : null }
}

export function convertedTotal(
  base: string,
  lines: readonly (LineInBase | undefined)[],
): Static<typeof ConvertedTotal> {
  const debit = lines.reduce((sum, line) => sum + (line?.debit ?? 0n), 0n)
  const credit = lines.reduce((sum, line) => sum + (line?.credit ?? 0n), 0n)
  return { currency: base, debit: `${debit}`, credit: `${credit}`, difference: `${debit - credit}` }
}
