import { type Currency, parseCurrency } from '#kernel/currency'
import { isDay } from '#kernel/day'
import { fractionOfDecimal } from '#kernel/fraction'

/** What a source says of one day: so many units of a currency for one unit of the base. */
export type DatedRate = {
  readonly base: Currency
  readonly currency: Currency
  /** Of the calendar, as in 2026-11-21. */
  readonly day: string
  /** A decimal as it was published, as in 1.0812. */
  readonly rate: string
}

const DIGITS_MAX = 15

/** What is wrong with it, in the words of its fields; undefined for one that can be recorded. */
export function mistakeIn({ base, currency, day, rate }: { [name in keyof DatedRate]: string }): Mistake | undefined {
  if (parseCurrency(base) === undefined) return { field: 'base', detail: 'base must be an ISO 4217 code' }
  if (parseCurrency(currency) === undefined) return { field: 'currency', detail: 'currency must be an ISO 4217 code' }
  if (base === currency) return { field: 'currency', detail: 'currency must be another than base' }
  if (!isDay(day)) return { field: 'day', detail: 'day must be a day of the calendar, as in 2026-11-21' }
  const value = /^\d+(?:\.\d+)?$/.test(rate) ? fractionOfDecimal(rate) : undefined
  const isLong = rate.split('.').some((digits) => digits.length > DIGITS_MAX)
  if (value && value.numerator > 0n && !isLong) return undefined
  const detail = `rate must be a decimal above zero, as in 1.0812, of up to ${DIGITS_MAX} digits on each side of the point`
  return { field: 'rate', detail }
}

export type Mistake = { readonly field: keyof DatedRate; readonly detail: string }
