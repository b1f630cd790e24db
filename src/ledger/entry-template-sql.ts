import { statement, type Tx } from '#kernel/database'
import type { Whose } from './book-sql.ts'
import type { NewEntry } from './new-entry.ts'

const ADD = statement(
  'ledger.add_templates',
  `insert into ledger.entry_template (tenant, mode, source, template, version)
   select $1, $2, t.source, t.template, t.version
   from unnest($3::text[], $4::text[], $5::int[]) as t (source, template, version)`,
)
/** Keeps which template made an entry, in the transaction that books it. Nothing for entries that none has made. */
export async function addTemplates(tx: Tx, { tenant, mode }: Whose, entries: readonly NewEntry[]): Promise<void> {
  const made = entries.flatMap(({ source, template }) => (template ? [{ source, ...template }] : []))
  if (made.length === 0) return
  await tx.query(ADD, [
    tenant,
    mode,
    made.map(({ source }) => source),
    made.map(({ name }) => name),
    made.map(({ version }) => version),
  ])
}
