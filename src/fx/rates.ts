import type { Database } from '#kernel/database'
import { beginOf, dayOf } from '#kernel/day'
import { type Fraction, fractionOfDecimal, quotient, reduced } from '#kernel/fraction'
import { findRates, lastDays, listRates } from './sql.ts'

/** Whole units of one currency for one whole unit of another: exact, and of one day of one source. */
export type Rate = Fraction & {
  readonly source: string
  /** Midnight UTC of its day, in Unix milliseconds. */
  readonly effectiveAt: number
}

export type RateAsk = {
  readonly from: string
  readonly to: string
  /** Unix milliseconds. */
  readonly at: number
}

type Whose = { readonly tenant: string; readonly mode: string }

/** No rate holds: nobody ever said one, or the last, of the day named, is too old. */
export type NoRate = { readonly lastDay: string | undefined }

/** A query port: who asks for what is not known is told how long ago it was. */
export type Rates = {
  rateAt(whose: Whose, ask: RateAsk): Promise<Rate | NoRate>
  /** For each of the questions, in one statement. */
  ratesAt(whose: Whose, asks: readonly RateAsk[]): Promise<readonly (Rate | NoRate)[]>
}

/** A rate holds for its day and so many after it: over weekends and holidays nothing is published. */
export const AGE_DAYS_MAX = 7

/** There is no year before, as far as PostgreSQL's days are concerned; nor was there a rate. */
const EARLIEST = beginOf('0001-01-01')

/**
 * The rate of a day (UTC) is the last on or before it, and not older than a week. Rates of the tenant come before those
 * of the installation; then the later day; then what was published as it stands, before its inverse, before the cross of two
 * rates of one day, source and base.
 */
export function createRates(database: Database): Rates {
  const ratesAt: Rates['ratesAt'] = async (whose, asks) => {
    const days = asks.map(({ from, to, at }) => ({ from, to, day: dayOf(Math.max(at, EARLIEST)) }))
    const rows = asks.some(({ from, to }) => from !== to) ? await findRates(database, whose, days, AGE_DAYS_MAX) : []
    const found = new Map(rows.map((row) => [row.place, rateOf(row)]))
    const isMissing = ({ from, to }: RateAsk, place: number): boolean => from !== to && !found.get(place)
    const stale = asks.some(isMissing) ? await lastDays(database, whose, days) : []
    const last = new Map(stale.map(({ place, day }) => [place, day]))
    return asks.map(({ from, to, at }, place) => {
      if (from === to) return { ...reduced(1n, 1n), source: 'same', effectiveAt: beginOf(dayOf(at)) }
      return found.get(place) ?? { lastDay: last.get(place) }
    })
  }
  return { ratesAt, rateAt: async (whose, ask) => (await ratesAt(whose, [ask]))[0] ?? { lastDay: undefined } }
}

function rateOf(row: { source: string; day: string; multiplier: string; divisor: string }): Rate | undefined {
  const [multiplier, divisor] = [fractionOfDecimal(row.multiplier), fractionOfDecimal(row.divisor)]
  if (!multiplier || !divisor) return undefined
  return { ...quotient(multiplier, divisor), source: row.source, effectiveAt: beginOf(row.day) }
}

export type ListedRate = {
  readonly source: string
  readonly base: string
  readonly currency: string
  readonly day: string
  /** Units of the currency for one unit of the base. */
  readonly rate: string
  /** The tenant's own, and not the installation's. */
  readonly isOwn: boolean
}

/** The last rate of each source and pair on or before a day, and not older than a week. */
export async function ratesOn(database: Database, whose: Whose, day: string): Promise<ListedRate[]> {
  const rows = await listRates(database, whose, day, AGE_DAYS_MAX)
  return rows.map(({ tenant, ...row }) => ({ ...row, isOwn: tenant !== '' }))
}
