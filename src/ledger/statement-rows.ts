import type { Database } from '#kernel/database'
import { type ConvertedPage, type RateChoice, statementIn } from './conversion-of-statements.ts'
import type { RatesAt } from './rate.ts'
import {
  beginStatement,
  pageTimes,
  type StatementLine,
  type StatementOf,
  type StatementPlace,
  type StatementRange,
  statementPage,
} from './statement.ts'

const LINES_A_PAGE = 1_000

export type StatementAsked = {
  readonly database: Database
  readonly of: StatementOf
  readonly range: StatementRange
  /** Shown in this currency too. */
  readonly converted?: { readonly ratesAt: RatesAt; readonly base: string; readonly rates: RateChoice }
}

/** A line of a whole statement, or the balance before or after all of them. */
export type StatementRow =
  | ({ readonly kind: 'line' } & ConvertedPage<StatementLine>['data'][number])
  | {
      readonly kind: 'opening' | 'closing'
      readonly effective_at: string
      readonly balance: string
      readonly converted?: { readonly currency: string; readonly balance: string }
    }

/**
 * A whole statement, page by page: the opening balance, every line, the closing balance.
 * @throws Refusal `rate_unknown` or `rate_stale`.
 */
export async function* statementRows(asked: StatementAsked): AsyncGenerator<readonly StatementRow[]> {
  const { database, of, range } = asked
  let place: StatementPlace | undefined = await beginStatement(database, of, range)
  for (let isFirst = true; place; isFirst = false) {
    const { opening, lines, closing, next } = await statementPage(database, of, range, place, LINES_A_PAGE)
    const page = { opening, data: lines, closing }
    const { data, converted } = await shownIn(asked, { isDebit: place.isDebit, ...pageTimes(range, place, next) }, page)
    const balanceRow = (kind: 'opening' | 'closing', at: number): StatementRow => {
      const inBase = converted && { converted: { currency: converted.currency, balance: converted[kind] } }
      return { kind, effective_at: new Date(at).toISOString(), balance: page[kind], ...inBase }
    }
    yield [
      ...(isFirst ? [balanceRow('opening', range.from)] : []),
      ...data.map((line): StatementRow => ({ kind: 'line', ...line })),
      ...(next ? [] : [balanceRow('closing', place.through)]),
    ]
    place = next
  }
}

type Page = { readonly opening: string; readonly data: StatementLine[]; readonly closing: string }
type About = { readonly isDebit: boolean } & ReturnType<typeof pageTimes>
function shownIn(
  { of, converted }: StatementAsked,
  about: About,
  page: Page,
): Promise<Pick<ConvertedPage<StatementLine>, 'data'> & Partial<ConvertedPage<StatementLine>>> {
  if (!converted) return Promise.resolve({ data: page.data })
  return statementIn(converted.ratesAt, of, { ...converted, ...about }, page)
}
