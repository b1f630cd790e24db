import { type Database, statement } from '#kernel/database'
import type { Whose } from './book-sql.ts'

export type JournalRow = {
  readonly source: string
  readonly id: string
  readonly purpose: string
  readonly accounts: readonly string[]
  readonly amounts: readonly string[]
  readonly currencies: readonly string[]
  readonly effective_at: Date
  readonly booked_at: Date
  readonly traceparent: string
}

const PAGE = statement(
  'ledger.journal_page',
  `select source, id, purpose, accounts, amounts::text[] as amounts, currencies, effective_at, booked_at, traceparent
   from ledger.entry where tenant = $1 and mode = $2 and source > $3 order by source limit $4`,
)
/** Entries behind a source, by source: pages of one snapshot are to be read in one transaction. */
export function journalPage(database: Pick<Database, 'query'>, { tenant, mode }: Whose, after: string, limit: number) {
  return database.query<JournalRow>(PAGE, [tenant, mode, after, limit])
}
